"""Texts that the datasets library reads: which split is which, and what is said when it cannot be."""

import json
import sys

import pytest

from lit_vae.data import HuggingFaceTextDataModule
from lit_vae.tokenizers import Words

datasets = pytest.importorskip("datasets")

TEXTS = [f"text number {i}" for i in range(30)]


def data_of(root, **settings):
    return HuggingFaceTextDataModule(**{"root": str(root), "tokenizer": Words(), "max_length": 20} | settings)


def texts_of(data):
    return {split: list(source) for split, source in data.texts.items()}


def write(path, texts, field="text"):
    path.write_text("\n".join(json.dumps({"id": i, field: text}) for i, text in enumerate(texts)), encoding="utf-8")


@pytest.fixture(autouse=True)
def quiet():
    datasets.disable_progress_bars()


def test_names_of_files_tell_the_splits(tmp_path):
    for name, texts in (("train", TEXTS[:20]), ("validation", TEXTS[20:25]), ("test", TEXTS[25:])):
        write(tmp_path / f"{name}.jsonl", texts)

    assert texts_of(data_of(tmp_path)) == {"train": TEXTS[:20], "val": TEXTS[20:25], "test": TEXTS[25:]}


def test_one_parquet_file_is_divided_by_the_seed(tmp_path):
    datasets.Dataset.from_dict({"text": TEXTS}).to_parquet(tmp_path / "all.parquet")

    texts = texts_of(data_of(tmp_path / "all.parquet"))

    assert [len(texts[split]) for split in ("train", "val", "test")] == [24, 3, 3]
    assert sorted(text for some in texts.values() for text in some) == sorted(TEXTS)
    assert texts_of(data_of(tmp_path / "all.parquet", split_seed=1)) != texts


@pytest.mark.parametrize("hub", [False, True])
def test_a_saved_data_set_and_one_of_the_hub_have_their_own_splits(tmp_path, hub):
    parts = {"train": TEXTS[:20], "validation": TEXTS[20:25], "test": TEXTS[25:]}
    if hub:
        for name, texts in parts.items():
            write(tmp_path / f"{name}.jsonl", texts)
    else:
        whole = {name: datasets.Dataset.from_dict({"text": texts}) for name, texts in parts.items()}
        datasets.DatasetDict(whole).save_to_disk(tmp_path)

    data = data_of(tmp_path, hub=hub)

    assert texts_of(data) == {"train": TEXTS[:20], "val": TEXTS[20:25], "test": TEXTS[25:]}
    assert len(data.dataset("val")) == 5


def test_what_was_made_is_used_again_until_the_file_is_another(tmp_path):
    def folders():
        data_of(tmp_path / "all.jsonl", cache_dir=str(tmp_path / "cache")).num_values  # noqa: B018
        return {path for path in (tmp_path / "cache").iterdir() if (path / "key.json").exists()}

    write(tmp_path / "all.jsonl", TEXTS)
    first, again = folders(), folders()
    write(tmp_path / "all.jsonl", TEXTS[1:])
    other = folders()

    assert first == again < other


def test_parts_of_a_table_are_the_table_without_its_blank_texts(tmp_path):
    write(tmp_path / "all.jsonl", [*TEXTS, " ", ""])
    source = data_of(tmp_path / "all.jsonl").texts["train"].division.source

    small = type(source)(source.rows, source.field, source.files, part_bytes=64)

    assert len(small.parts()) > 5
    assert list(small) == list(source) == TEXTS


def test_another_field_is_named_with_those_that_there_are(tmp_path):
    write(tmp_path / "all.jsonl", TEXTS, field="sentence")

    assert len(list(data_of(tmp_path / "all.jsonl", field="sentence").texts["train"])) == 24
    for field in ("text", "id"):
        with pytest.raises(ValueError, match=r"sentence \(string\).*data\.init_args\.field"):
            data_of(tmp_path / "all.jsonl", field=field).num_values  # noqa: B018


def test_a_row_without_text_is_named(tmp_path):
    write(tmp_path / "all.jsonl", [*TEXTS, None])

    with pytest.raises(ValueError, match=r"row 30 has no text in the field 'text'"):
        data_of(tmp_path / "all.jsonl").num_values  # noqa: B018


def test_a_missing_split_is_named(tmp_path):
    whole = {name: datasets.Dataset.from_dict({"text": TEXTS}) for name in ("train", "test")}
    datasets.DatasetDict(whole).save_to_disk(tmp_path / "saved")

    with pytest.raises(ValueError, match=r"has the splits train, test, but no val: .*data\.init_args\.root"):
        data_of(tmp_path / "saved").num_values  # noqa: B018


def test_a_file_that_holds_something_else_is_named(tmp_path):
    (tmp_path / "all.jsonl").write_text("{not json", encoding="utf-8")
    (tmp_path / "all.txt").write_text("text", encoding="utf-8")
    (tmp_path / "empty.jsonl").touch()

    with pytest.raises(ValueError, match=r"empty\.jsonl is empty.*data\.init_args\.root"):
        data_of(tmp_path / "empty.jsonl").num_values  # noqa: B018
    with pytest.raises(ValueError, match=r"cannot read .*all\.jsonl.*data\.init_args\.root"):
        data_of(tmp_path / "all.jsonl").num_values  # noqa: B018
    with pytest.raises(ValueError, match=r"files \.txt, .*\.parquet.*TextLinesDataModule"):
        data_of(tmp_path / "all.txt").num_values  # noqa: B018
    with pytest.raises(FileNotFoundError, match=r"there is all\.jsonl"):
        data_of(tmp_path / "al.jsonl").num_values  # noqa: B018


def test_a_hub_that_cannot_be_reached_names_the_key(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise ConnectionError("Couldn't reach 'some/corpus' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)

    with pytest.raises(ValueError, match=r"cannot read some/corpus: Couldn't reach .*data\.init_args\.root"):
        data_of("some/corpus", hub=True, cache_dir=str(tmp_path)).num_values  # noqa: B018


def test_the_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    write(tmp_path / "all.jsonl", TEXTS)
    monkeypatch.setitem(sys.modules, "datasets", None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lit_vae\[datasets\]'"):
        data_of(tmp_path / "all.jsonl").num_values  # noqa: B018
