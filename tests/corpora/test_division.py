"""The division of texts: sizes, equal texts, and what it does not depend on."""

from itertools import chain

import pytest

from lit_vae.corpora.division import divided
from lit_vae.corpora.files import Lines
from lit_vae.corpora.sources import Joined, TextList
from lit_vae.corpora.workers import Workers

LINES = [f"line {i}" for i in range(40)]


def divide(texts, seed=0, val_fraction=0.1, test_fraction=0.1):
    sources = divided(TextList(texts), seed, val_fraction, test_fraction, Workers(1))
    return dict(zip(("train", "val", "test"), map(list, sources), strict=True))


def test_splits_have_the_sizes_asked_for_and_share_nothing():
    splits = divide(LINES, test_fraction=0.2)

    assert [len(splits[name]) for name in ("train", "val", "test")] == [28, 4, 8]
    assert sorted(chain.from_iterable(splits.values())) == sorted(LINES)


def test_equal_texts_fall_into_one_split():
    splits = divide(LINES * 3, test_fraction=0.2)

    assert len(splits["test"]) == 24
    assert not set(splits["train"]) & (set(splits["val"]) | set(splits["test"]))


def test_the_split_of_a_text_does_not_depend_on_the_order():
    forward, backward = divide(LINES), divide(LINES[::-1])

    assert {name: set(texts) for name, texts in forward.items()} == {n: set(t) for n, t in backward.items()}


def test_another_seed_is_another_division():
    assert divide(LINES) != divide(LINES, seed=1)
    assert divide(LINES) == divide(LINES)


def test_a_file_is_divided_as_its_lines_are_whatever_its_parts(tmp_path):
    (tmp_path / "all.txt").write_text("\n".join(LINES), encoding="utf-8")
    source = Joined([Lines(tmp_path / "all.txt", part_bytes=50)], part_bytes=50)

    train, val, test = divided(source, 0, 0.1, 0.1, Workers(1))

    assert len(source.parts()) > 3
    assert {"train": list(train), "val": list(val), "test": list(test)} == divide(LINES)
    assert len({str(share.key) for share in (train, val, test)}) == 3


def test_too_few_texts_to_divide_are_refused():
    with pytest.raises(ValueError, match="2 different texts"):
        divide(["a", "b", "a"])


@pytest.mark.parametrize("fractions", [(0.0, 0.1), (0.1, 0.0), (0.5, 0.5), (-0.1, 0.2)])
def test_fractions_that_leave_nothing_are_refused(fractions):
    with pytest.raises(ValueError, match="val_fraction"):
        divide(LINES, 0, *fractions)
