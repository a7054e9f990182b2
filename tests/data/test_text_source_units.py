"""What a likelihood of text is divided by: the source text that the tokens stand for, each part of it once."""

import math
import re
import warnings
from dataclasses import replace

import pytest
import torch
from contracts.registry import WIDTH
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, normalizers, pre_tokenizers

from lit_vae.backbones import Unconditional
from lit_vae.corpora.files import Stretch
from lit_vae.corpora.sources import TextList
from lit_vae.data import CharacterBlocksDataModule, TextDataModule
from lit_vae.heads import SoftmaxTokenHead
from lit_vae.objectives import ELBO
from lit_vae.tokenizers import BPE, Bytes, Characters, Pretrained, Words
from lit_vae.vae import LitVAE

LINES = ["the cat sat, naïve", "Я ем стекло", "我能吞下玻璃 而 不傷", "ok 😀👍🏽 fine", "a", "日本語\u3000です"]
RUNNING = "".join(f"{line}{end}" for line, end in zip(LINES * 6, ["\n", "  \n ", " ", "\r\n"] * 9, strict=True))


def saved(folder, library):
    folder.mkdir()
    library.save(str(folder / "tokenizer.json"))
    return Pretrained(str(folder))


def byte_level(folder):
    """As GPT-2's."""
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    alphabet = {symbol: number for number, symbol in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    library.model = models.BPE(vocab=alphabet, merges=[])
    return saved(folder, library)


def lower_case(folder):
    """As BERT's without case: words it does not know, and what the normalizer changes, are lost."""
    library = Library(models.WordLevel({"[UNK]": 0, "the": 1, "cat": 2, ",": 3, "naive": 4}, "[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return saved(folder, library)


TOKENIZERS = {
    "bytes": lambda _: Bytes(),
    "characters": lambda _: Characters(),
    "words": lambda _: Words(),
    "few words": lambda _: Words(max_words=2),
    "bpe": lambda _: BPE(300),
    "byte level": byte_level,
    "lower case": lower_case,
}


@pytest.fixture(params=TOKENIZERS.values(), ids=TOKENIZERS.keys())
def tokenizer(request, tmp_path):
    return request.param(tmp_path / "pretrained")


def blocks_of(folder, text, length, tokenizer):
    (folder / "running.txt").write_bytes(text.encode())
    return CharacterBlocksDataModule(
        str(folder / "running.txt"),
        length,
        tokenizer,
        val_fraction=0.2,
        test_fraction=0.2,
        cache_dir=str(folder / "cache"),
        tokenize_processes=1,
    )


def units_of(dataset):
    """The units of all examples, whether their names say that something is lost or not."""
    batch = dataset.__getitems__(list(range(len(dataset))))
    return {name.removesuffix("_lossy"): unit for name, unit in batch.units.items()}


class Given(TextDataModule):
    """The same texts in each split."""

    def __init__(self, texts, tokenizer, max_length=100, others=None, **settings):
        super().__init__(tokenizer, max_length, **settings)
        self.given = {"train": texts, "val": others or texts, "test": others or texts}

    @property
    def corpus(self):
        return "given"

    def read(self):
        return {split: TextList(texts) for split, texts in self.given.items()}


# ---- laws ----


@pytest.mark.parametrize("part_bytes", [1, 7, 1 << 24])
def test_stretches_of_one_token_cover_the_source_once(tmp_path, tokenizer, part_bytes):
    data = blocks_of(tmp_path, RUNNING, 1, tokenizer)
    data.texts = {split: replace(source, part_bytes=part_bytes) for split, source in data.texts.items()}

    for split, source in data.texts.items():
        units = units_of(data.dataset(split))
        text = "".join(source)
        if data.symbols.tokenizer.kind == "words" or "Bert" in str(data.symbols.tokenizer.state()):
            text = text.rstrip()  # no token stands for the white space after the last word
        assert units["byte"].sum() == len(text.encode())
        assert units["character"].sum() == len(text)
        assert units["word"].sum() == len(text.split())


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8])
def test_longer_stretches_add_up_to_those_of_one_token(tmp_path, tokenizer, length):
    one, more = (blocks_of(tmp_path, RUNNING, n, tokenizer) for n in (1, length))

    for split in ("train", "val", "test"):
        small, large = units_of(one.dataset(split)), units_of(more.dataset(split))
        whole = len(more.dataset(split)) * length
        assert small.keys() == large.keys()
        for name, unit in large.items():
            assert unit.tolist() == small[name][:whole].view(-1, length).sum(1).tolist()


@pytest.mark.parametrize("tokenizer", [Bytes(), BPE(300), Characters(), Words()], ids=["bytes", "bpe", "char", "words"])
def test_units_do_not_depend_on_the_parts_in_which_a_file_is_read(tmp_path, tokenizer):
    whole, parts = (blocks_of(tmp_path, RUNNING, 1, tokenizer) for _ in range(2))
    parts.texts = {split: Stretch(s.path, s.start, s.stop, part_bytes=5) for split, s in parts.texts.items()}
    parts.cache_dir = str(tmp_path / "other")

    found = [{name: unit.sum() for name, unit in units_of(data.dataset("train")).items()} for data in (whole, parts)]

    assert found[0] == found[1]


def test_white_space_wider_than_a_part_belongs_to_the_word_after_it(tmp_path):
    data = blocks_of(tmp_path, f"a b{' ' * 400}c d " + "e " * 200, 1, Words())
    data.texts = {split: replace(source, part_bytes=9) for split, source in data.texts.items()}

    units = units_of(data.dataset("train"))

    assert units["byte"][:4].tolist() == units["character"][:4].tolist() == [1, 2, 401, 2]


def test_texts_have_the_units_of_their_source(tokenizer):
    dataset = Given(LINES, tokenizer).dataset("train")

    units = units_of(dataset)

    assert units["character"].tolist() == [len(line) for line in LINES]
    assert units["byte"].tolist() == [len(line.encode()) for line in LINES]
    assert units["word"].tolist() == [len(line.split()) + 1 for line in LINES]


BEGINNINGS = {
    "bytes": lambda text, ids, _: text.encode()[: len(ids)],
    "characters": lambda text, ids, _: text[: len(ids)].encode(),
    "words": lambda text, ids, _: text[: [word.end() for word in re.finditer(r"\S+", text)][len(ids) - 1]].encode(),
    "bpe": lambda text, ids, library: text.encode()[: sum(len(library.id_to_token(i)) for i in ids)],
}


@pytest.mark.parametrize("most", [2, 3, 4, 6, 9])
@pytest.mark.parametrize("name", ["bytes", "characters", "words", "few words", "bpe", "byte level"])
def test_a_truncated_text_has_the_units_of_the_beginning_that_its_tokens_stand_for(tmp_path, name, most):
    data = Given(LINES, TOKENIZERS[name](tmp_path / "pretrained"), most, too_long="truncate")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "[^\n]*truncated")
        dataset = data.dataset("train")
    trained = data.symbols.tokenizer
    library = Library.from_str(trained.state()["json"]) if trained.kind == "bpe" else None

    for number, line in enumerate(LINES):
        ids = trained.encode(line)[: most - 1]
        beginning = BEGINNINGS[trained.kind](line, ids, library)
        # A character that is cut counts, and shows as one replacement character.
        shown = beginning.decode(errors="replace")
        assert dataset[number].x[0, :-1].tolist() == ids
        expected = {"characters": len(shown), "bytes": len(beginning), "words": len(shown.split()) + 1}
        assert {column: int(dataset.columns[column][number]) for column in expected} == expected


def test_a_uniform_model_of_256_bytes_takes_8_bits_a_byte(tmp_path, make_trainer):
    data = blocks_of(tmp_path, "我能吞下玻璃 Я ем 😀\n" * 40, 10, Bytes())

    found = reported(make_trainer, data)

    assert data.num_values == 256
    assert found["test/bits_per_byte"] == pytest.approx(8.0, rel=1e-6)


def test_a_uniform_model_of_lines_pays_for_bytes_and_end_symbols(make_trainer):
    data = Given(LINES, Bytes())

    found = reported(make_trainer, data)

    size = sum(len(line.encode()) for line in LINES)
    assert found["test/bits_per_byte"] == pytest.approx(math.log2(257) * (size + len(LINES)) / size, rel=1e-6)


def reported(make_trainer, data):
    """What is reported of a model to which all symbols are equally probable."""
    head = SoftmaxTokenHead(WIDTH, data.num_values, data.shape, embed_width=4, tied=False)
    torch.nn.init.zeros_(head.projection.table)
    vae = LitVAE(Unconditional(4, head.positions, width=WIDTH), head, ELBO("symbol"))
    (found,) = make_trainer().test(vae, datamodule=data, verbose=False)
    return found


# ---- computed by hand ----


def test_bytes_of_chinese_cut_inside_characters(tmp_path):
    data = blocks_of(tmp_path, "貓狗\n" * 50, 4, Bytes())

    units = units_of(data.dataset("train"))

    # 7 bytes a line: e8 b2 93 e7 | 8b 97 0a e8 | b2 93 e7 8b | 97 0a e8 b2
    assert units["byte"][:4].tolist() == [4, 4, 4, 4]
    assert units["character"][:4].tolist() == [2, 2, 1, 2]


def test_a_stretch_of_words_has_the_white_space_before_each(tmp_path):
    data = blocks_of(tmp_path, "дым  ест\nюлил 😀 " * 20, 2, Words())

    units = units_of(data.dataset("train"))

    assert units["character"][:3].tolist() == [8, 7, 9]
    assert units["byte"][:3].tolist() == [14, 14, 15]
    assert units["word"][:3].tolist() == [2, 2, 2]


def test_a_text_truncated_inside_an_emoji_has_the_bytes_that_are_left():
    with pytest.warns(UserWarning, match="truncated"):
        batch = Given(["ы 😀 a", "b c"], Bytes(), 6, too_long="truncate").dataset("train").__getitems__([0, 1])

    # d1 8b 20 f0 9f | 98 80 20 61
    assert batch.units["byte"].tolist() == [5, 3]
    assert batch.units["character"].tolist() == [3, 3]
    assert batch.units["word"].tolist() == [3, 3]


# ---- what the names say ----


@pytest.mark.parametrize(
    ("tokenizer", "others", "lost"),
    [
        (Words(), ["a cat"], False),
        (Words(), ["a <unk>"], False),
        (Words(), ["a bird"], True),
        (Words(), ["a  cat"], True),
        (Characters(), ["at a cat"], False),
        (Characters(), ["a cat!"], True),
        (Bytes(), ["猫  !"], False),
        (BPE(260), ["猫  !"], False),
    ],
)
def test_a_rate_whose_tokens_do_not_tell_all_of_the_text_says_so_in_its_name(tokenizer, others, lost):
    data = Given(["the cat sat", "a cat sat"], tokenizer, others=others)

    train, test = (data.dataset(split)[0].units.keys() for split in ("train", "test"))

    assert {"character", "byte"} <= train
    assert {f"{name}{'_lossy' * lost}" for name in ("character", "byte")} <= test
    assert len(test) <= 3


@pytest.mark.parametrize(("space", "lost"), [(" ", False), ("\n", True)])
def test_words_of_a_running_text_do_not_tell_how_its_lines_end(tmp_path, space, lost):
    data = blocks_of(tmp_path, f"the cat sat{space}" * 100 + "\n", 2, Words())

    assert ("byte_lossy" in data.dataset("train")[0].units) == lost


def test_a_normalizer_loses_what_it_changes(tmp_path):
    data = Given(["the cat"], lower_case(tmp_path / "pretrained"), others=["The cat"])

    assert "byte" in data.dataset("train")[0].units
    assert "byte_lossy" in data.dataset("test")[0].units


def test_a_text_without_white_space_has_no_words(tmp_path):
    chinese = ["我能吞下玻璃而不傷身體。", "但是貓不能。", "有時 也有一個空格而已、但是很少、很少、真的很少很少。"]
    lines = Given(chinese, Characters())
    stretches = blocks_of(tmp_path, "\n".join(["我能吞下玻璃而不傷身體但是貓不能我能吞下玻璃"] * 30), 5, Bytes())

    assert lines.dataset("train")[0].units.keys() == {"character", "byte"}
    assert stretches.dataset("train")[0].units.keys() == {"character", "byte"}
    assert "word" in Given(["the cat sat", "a"], Characters()).dataset("train")[0].units
