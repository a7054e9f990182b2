"""Text as integers: padding, units, lengths, and what is kept between runs."""

import os
import pickle

import pytest
import torch

from lit_vae.corpora.files import Lines
from lit_vae.corpora.sources import TextList
from lit_vae.data import TextDataModule
from lit_vae.data import text as module
from lit_vae.tokenizers import BPE, Bytes, Characters, Words

TRAIN = ["a bb ccc", "é", "a bb a bb a", "ccc"]


class GivenTexts(TextDataModule):
    @property
    def corpus(self):
        return "given"

    def read(self):
        return {"train": TextList(TRAIN), "val": TextList(["bb dd"]), "test": TextList(["a a"])}


def given(**settings):
    return GivenTexts(**{"tokenizer": Words(), "max_length": 10, "batch_size": 2} | settings)


def test_a_batch_ends_every_text_and_pads_with_the_end_symbol():
    data = given(tokenizer=Characters(), max_length=12)
    end = data.symbols.tokenizer.end

    batch = data.dataset("train").__getitems__([0, 1])

    assert batch.x.dtype == torch.int64
    assert batch.x.shape == (2, 9)
    assert batch.counts.tolist() == [9, 2]
    assert batch.x[0, 8] == end
    assert batch.x[1, 1:].tolist() == [end] * 8
    assert batch.index.tolist() == [0, 1]


def test_texts_come_back_in_any_order():
    data = given()
    order = [3, 0, 2, 1, 0]

    batch = data.dataset("train").__getitems__(order)

    assert data.symbols.render(batch.x, batch.mask).texts == [TRAIN[i] for i in order]


def test_units_count_characters_and_bytes_without_the_end_symbol_and_words_with_it():
    batch = given().dataset("train").__getitems__([1, 0])

    assert batch.units["character"].tolist() == [1, 8]
    assert batch.units["byte"].tolist() == [2, 8]
    assert batch.units["word"].tolist() == [2, 4]


@pytest.mark.parametrize("tokenizer", [Words(), Characters(), Bytes(), BPE(300)])
def test_the_words_of_a_text_do_not_depend_on_its_tokens(tokenizer):
    data = given(tokenizer=tokenizer, max_length=50)

    words = [data.dataset("train")[i].units["word"].item() for i in range(4)]

    assert words == [4, 2, 6, 2]


def test_the_tokenizer_knows_the_training_split_alone():
    data = given()

    batch = data.dataset("val").__getitems__([0])

    assert data.symbols.render(batch.x, batch.mask).texts == ["bb <unk>"]


def test_the_vocabulary_is_known_before_a_trainer_is():
    data = given()

    assert data.num_values == len({"a", "bb", "ccc", "é", "<unk>", "end"})
    assert data.shape == (None,)
    assert data.symbols.fill(data.shape) == (10,)


def test_a_text_that_is_too_long_is_refused_with_the_length_it_needs():
    data = given(max_length=5)

    with pytest.raises(ValueError, match=r"1 of 4 train texts .*max_length, 5 tokens .*longest has 6.*too_long"):
        data.num_values  # noqa: B018


def test_a_text_of_the_greatest_length_is_not_too_long():
    batch = given(max_length=6).dataset("train").__getitems__([2])

    assert batch.counts.tolist() == [6]


def test_texts_that_are_too_long_are_dropped_aloud():
    data = given(max_length=5, too_long="drop")

    with pytest.warns(UserWarning, match=r"1 of 4 train texts .* dropped"):
        dataset = data.dataset("train")

    assert len(dataset) == 3
    assert data.dataset("train") is dataset


def test_texts_that_are_too_long_are_truncated_aloud_and_their_units_with_them():
    data = given(max_length=3, too_long="truncate")

    with pytest.warns(UserWarning, match=r"2 of 4 train texts .* truncated"):
        batch = data.dataset("train").__getitems__([2])

    assert data.symbols.render(batch.x, batch.mask).texts == ["a bb"]
    assert batch.x[0, -1] == data.symbols.tokenizer.end
    assert batch.units["character"].tolist() == [4]


def test_a_split_of_which_nothing_is_left_is_refused():
    data = given(max_length=3, too_long="drop", tokenizer=Bytes())

    with pytest.raises(ValueError, match=r"every text of the val split.*longest has 6.*max_length"):
        data.dataset("train")


@pytest.mark.parametrize(
    ("setting", "value"), [("max_length", 1), ("too_long", "ignore"), ("batch_size", 0), ("tokenize_processes", 0)]
)
def test_a_bad_setting_is_named(setting, value):
    with pytest.raises(ValueError, match=rf"data\.init_args\.{setting}"):
        given(**{setting: value})


class InFiles(TextDataModule):
    """As many lines as the files have."""

    def __init__(self, folder, **settings):
        super().__init__(**{"tokenizer": Words(), "max_length": 10, "cache_dir": str(folder / "cache")} | settings)
        self.folder = folder

    @property
    def corpus(self):
        return "files"

    def read(self):
        return {split: Lines(self.folder / f"{split}.txt", part_bytes=8) for split in ("train", "val", "test")}


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.txt").write_text("\n".join(TRAIN), encoding="utf-8")
    return tmp_path


@pytest.fixture
def encodings(monkeypatch):
    """Counts how often a split was encoded."""
    calls = []
    encoded = module.encoded
    monkeypatch.setattr(module, "encoded", lambda *words: calls.append(words[3]) or encoded(*words))
    return calls


def test_what_was_made_is_used_again_and_is_what_memory_would_hold(folder, encodings):
    first, again, memory = InFiles(folder), InFiles(folder), given()

    batches = [data.dataset("train").__getitems__([0, 1, 2, 3]) for data in (first, again, memory)]

    assert len(encodings) == 6
    assert all(torch.equal(batch.x, batches[0].x) for batch in batches)
    assert all(torch.equal(batch.units["byte"], batches[0].units["byte"]) for batch in batches)
    assert again.symbols.agrees_with(memory.symbols)


def test_a_mapped_data_set_travels_as_the_name_of_its_folder(folder):
    dataset = InFiles(folder).dataset("train")

    content = pickle.dumps(dataset)

    assert len(content) < 1000
    assert torch.equal(pickle.loads(content)[2].x, dataset[2].x)


@pytest.mark.parametrize(
    "settings", [{"tokenizer": Words(min_count=2)}, {"tokenizer": Bytes(), "max_length": 20}, {"max_length": 9}]
)
def test_other_settings_are_made_anew(folder, encodings, settings):
    InFiles(folder).num_values  # noqa: B018

    data = InFiles(folder, **settings)

    assert data.symbols.max_length == settings.get("max_length", 10)
    assert len(encodings) == 6


def test_a_changed_file_is_read_again_though_its_size_and_time_are_the_same(folder):
    before = InFiles(folder).dataset("val")[0]
    file = folder / "val.txt"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text(file.read_text(encoding="utf-8").replace("a bb ccc", "a bb bb "), encoding="utf-8")
    os.utime(file, ns=times)

    after = InFiles(folder).dataset("val")[0]

    assert not torch.equal(before.x, after.x)


def test_truncated_texts_are_counted_at_every_start(folder):
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"1 of 4 \w+ texts .* truncated"):
            InFiles(folder, max_length=5, too_long="truncate").num_values  # noqa: B018


def test_a_refused_corpus_leaves_nothing_half_made(folder):
    with pytest.raises(ValueError, match="too_long"):
        InFiles(folder, max_length=5).num_values  # noqa: B018

    left = [path for path in (folder / "cache").iterdir() if path.suffix != ".lock"]

    assert left == []


def test_a_cache_that_cannot_be_written_names_its_key(folder):
    with pytest.raises(OSError, match=r"data\.init_args\.cache_dir"):
        InFiles(folder, cache_dir=str(folder / "train.txt")).num_values  # noqa: B018
