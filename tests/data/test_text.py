"""Text as integers: padding, units, lengths, and the division into splits."""

from itertools import chain

import pytest
import torch

from lit_vae.data import TextDataModule
from lit_vae.data.text_splits import split_texts
from lit_vae.tokenizers import Bytes, Characters, Words

TRAIN = ["a bb ccc", "é", "a bb a bb a", "ccc"]


class GivenTexts(TextDataModule):
    @property
    def corpus(self):
        return "given"

    def read(self):
        return {"train": TRAIN, "val": ["bb dd"], "test": ["a a"]}


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


def test_units_count_characters_and_bytes_without_the_end_symbol():
    batch = given().dataset("train").__getitems__([1, 0])

    assert batch.units["character"].tolist() == [1, 8]
    assert batch.units["byte"].tolist() == [2, 8]


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
        data.dataset("train")


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
    data = given(max_length=2, too_long="drop", tokenizer=Bytes())

    with (
        pytest.warns(UserWarning, match="1 of 1 val"),
        pytest.raises(ValueError, match=r"every text of the val split.*max_length"),
    ):
        data.dataset("val")


@pytest.mark.parametrize(("setting", "value"), [("max_length", 1), ("too_long", "ignore"), ("batch_size", 0)])
def test_a_bad_setting_is_named(setting, value):
    with pytest.raises(ValueError, match=rf"data\.init_args\.{setting}"):
        given(**{setting: value})


LINES = [f"line {i}" for i in range(40)]


def test_splits_have_the_sizes_asked_for_and_share_nothing():
    splits = split_texts(LINES, 0, val_fraction=0.1, test_fraction=0.2)

    assert [len(splits[name]) for name in ("train", "val", "test")] == [28, 4, 8]
    assert sorted(chain.from_iterable(splits.values())) == sorted(LINES)


def test_equal_texts_fall_into_one_split():
    splits = split_texts(LINES * 3, 0, val_fraction=0.1, test_fraction=0.2)

    assert len(splits["test"]) == 24
    assert not set(splits["train"]) & (set(splits["val"]) | set(splits["test"]))


def test_the_split_of_a_text_does_not_depend_on_the_order():
    forward = split_texts(LINES, 0, 0.1, 0.1)
    backward = split_texts(LINES[::-1], 0, 0.1, 0.1)

    assert {name: set(texts) for name, texts in forward.items()} == {n: set(t) for n, t in backward.items()}


def test_another_seed_is_another_division():
    assert split_texts(LINES, 0, 0.1, 0.1) != split_texts(LINES, 1, 0.1, 0.1)
    assert split_texts(LINES, 0, 0.1, 0.1) == split_texts(LINES, 0, 0.1, 0.1)


def test_too_few_texts_to_divide_are_refused():
    with pytest.raises(ValueError, match="2 different texts"):
        split_texts(["a", "b", "a"], 0, 0.1, 0.1)


@pytest.mark.parametrize("fractions", [(0.0, 0.1), (0.1, 0.0), (0.5, 0.5), (-0.1, 0.2)])
def test_fractions_that_leave_nothing_are_refused(fractions):
    with pytest.raises(ValueError, match="val_fraction"):
        split_texts(LINES, 0, *fractions)
