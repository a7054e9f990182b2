"""A user's own text: where it is found, how it is divided, and what is said when it cannot be."""

import pytest

from lit_vae.data import TextLinesDataModule
from lit_vae.tokenizers import Bytes, Words

LINES = [f"line number {i}" for i in range(30)]


def lines_of(root, **settings):
    return TextLinesDataModule(**{"root": str(root), "tokenizer": Words(), "max_length": 20} | settings)


def texts_of(data):
    return {split: list(source) for split, source in data.texts.items()}


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_one_file_is_divided_by_the_seed(tmp_path):
    root = write(tmp_path / "own.text", LINES)

    texts = texts_of(lines_of(root, val_fraction=0.2))

    assert [len(texts[split]) for split in ("train", "val", "test")] == [21, 6, 3]
    assert texts_of(lines_of(root, val_fraction=0.2)) == texts
    assert texts_of(lines_of(root, val_fraction=0.2, split_seed=1)) != texts
    assert lines_of(root).corpus == "own.text"


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train.txt", "valid.txt", "test.txt"),
        ("train.txt", "val.txt", "test.txt"),
        ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"),
        ("my_train.txt", "my-dev.txt", "my.Test.txt"),
    ],
)
def test_names_of_a_folders_files_tell_the_splits(tmp_path, train, val, test):
    for name, lines in ((train, LINES[:3]), (val, LINES[3:5]), (test, LINES[5:6]), ("README.txt", ["not me"])):
        write(tmp_path / name, lines)

    assert texts_of(lines_of(tmp_path)) == {"train": LINES[:3], "val": LINES[3:5], "test": LINES[5:6]}


def test_other_files_of_a_folder_are_read_together_and_divided(tmp_path):
    write(tmp_path / "b.txt", LINES[:10])
    write(tmp_path / "a.txt", LINES[10:])
    write(tmp_path / "c.md", ["not me"])

    texts = texts_of(lines_of(tmp_path))

    assert sorted(texts["train"] + texts["val"] + texts["test"]) == sorted(LINES)


def test_only_line_feeds_end_a_line_and_empty_lines_are_passed_over(tmp_path):
    content = "\ufeff one\u2028still one \r\n\r\n  \ntwo\x0cstill two\nthree"
    (tmp_path / "own.txt").write_bytes(content.encode())

    texts = texts_of(lines_of(tmp_path / "own.txt", val_fraction=0.3, test_fraction=0.3))

    assert {line for lines in texts.values() for line in lines} == {"one\u2028still one", "two\x0cstill two", "three"}


def test_a_missing_file_is_answered_with_the_near_misses(tmp_path):
    write(tmp_path / "sentences.txt", LINES)

    with pytest.raises(FileNotFoundError, match=r"sentence\.txt.*there is sentences\.txt.*data\.init_args\.root"):
        lines_of(tmp_path / "sentence.txt").num_values  # noqa: B018


def test_a_missing_folder_is_answered_where_the_path_breaks(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no nowhere; .*--data\.root"):
        lines_of(tmp_path / "nowhere" / "deep" / "file.txt").texts  # noqa: B018


def test_a_folder_without_text_says_what_it_holds(tmp_path):
    (tmp_path / "picture.png").touch()

    with pytest.raises(FileNotFoundError, match=r"no \.txt file.*picture\.png.*--data\.root"):
        lines_of(tmp_path).texts  # noqa: B018


def test_a_folder_that_lacks_a_split_says_which(tmp_path):
    write(tmp_path / "train.txt", LINES)
    write(tmp_path / "test.txt", LINES)

    with pytest.raises(ValueError, match=r"train\.txt, test\.txt, but no val\.txt.*data\.init_args\.root"):
        lines_of(tmp_path).texts  # noqa: B018


def test_a_file_named_after_two_splits_is_in_neither(tmp_path):
    for name in ("train", "valid", "test-train", "test"):
        write(tmp_path / f"{name}.txt", LINES)

    with pytest.raises(ValueError, match=r"test-train\.txt is named after more than one split"):
        lines_of(tmp_path).texts  # noqa: B018


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n  \n\r\n", "only empty lines"),
        ("fine\nfianc\u00e9\n".encode("latin1"), r"not UTF-8: byte 0xe9 at offset 10, line 2.*iconv"),
    ],
    ids=["empty", "empty lines", "latin-1"],
)
def test_a_file_that_holds_no_text_is_named(tmp_path, content, complaint):
    (tmp_path / "own.txt").write_bytes(content)

    with pytest.raises(ValueError, match=rf"own\.txt .*{complaint}.*data\.init_args\.root"):
        lines_of(tmp_path / "own.txt").num_values  # noqa: B018


def test_an_empty_file_among_the_splits_is_named(tmp_path):
    for name, lines in (("train", LINES), ("valid", [""]), ("test", LINES)):
        write(tmp_path / f"{name}.txt", lines)

    with pytest.raises(ValueError, match=r"valid\.txt has only empty lines"):
        lines_of(tmp_path).texts  # noqa: B018


def test_a_word_outside_the_vocabulary_may_be_refused(tmp_path):
    for name, lines in (("train", ["the cat"]), ("valid", ["the dog"]), ("test", ["the"])):
        write(tmp_path / f"{name}.txt", lines)
    data = lines_of(tmp_path, tokenizer=Words(unknown="error"))

    with pytest.raises(ValueError, match=r"'dog'.*tokenizer\.init_args\.unknown"):
        data.dataset("train")


def test_batches_reach_the_loaders(tmp_path):
    data = lines_of(write(tmp_path / "own.txt", LINES), tokenizer=Bytes(), batch_size=4)

    batch = next(iter(data.train_dataloader()))

    assert len(batch) == 4
    assert batch.counts.max() <= 20
