"""What a batch promises."""

import dataclasses

import pytest
import torch

from lit_vae.batch import Batch


@pytest.fixture
def texts():
    x = torch.tensor([[1, 2, 3], [4, 5, 5], [6, 5, 5]])
    mask = torch.arange(3) < torch.tensor([[3], [2], [1]])
    return Batch(x, mask, torch.tensor([7, 8, 9]), {"byte": torch.tensor([10, 20, 30])})


@pytest.fixture
def pictures():
    return Batch(torch.zeros(2, 3, 4, 5, dtype=torch.uint8), None, torch.tensor([0, 1]))


def test_counts_are_observed_symbols(texts, pictures):
    assert texts.counts.tolist() == [3, 2, 1]
    assert pictures.counts.tolist() == [60, 60]
    assert texts.counts.dtype == pictures.counts.dtype == torch.int64


def test_a_batch_of_nothing_has_no_counts(texts, pictures):
    assert len(pictures[:0]) == len(pictures[:0].counts) == 0
    assert len(texts[:0]) == len(texts[:0].counts) == 0


@pytest.mark.parametrize("examples", [slice(1, None), torch.tensor([1, 2]), torch.tensor([False, True, True])])
def test_some_of_the_examples_keep_all_that_belongs_to_them(texts, examples):
    some = texts[examples]

    assert len(some) == 2
    assert some.x.tolist() == [[4, 5, 5], [6, 5, 5]]
    assert some.counts.tolist() == [2, 1]
    assert some.index.tolist() == [8, 9]
    assert some.units["byte"].tolist() == [20, 30]


def test_a_change_reaches_every_tensor(texts):
    seen = []

    changed = texts.map(lambda tensor: seen.append(tensor) or tensor.clone())

    assert len(seen) == 4
    assert torch.equal(changed.x, texts.x)
    assert changed.x is not texts.x


def test_another_device_takes_every_tensor(texts, pictures):
    there = texts.to("meta")

    assert {t.device.type for t in (there.x, there.mask, there.index, there.units["byte"])} == {"meta"}
    assert pictures.to("meta").mask is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.rand(3, 3)}, r"Batch.x holds integer symbols, got torch.float32: quantise it.*torch.uint8"),
        ({"x": torch.rand(3, 3).half()}, r"got torch.float16"),
        ({"x": torch.ones(3, 3, dtype=torch.bool)}, r"got torch.bool: make it x.to\(torch.uint8\)"),
        ({"mask": torch.ones(3, 3)}, r"torch.bool of shape \[3, 3\]; got torch.float32"),
        ({"mask": torch.ones(3, 2, dtype=torch.bool)}, r"Batch.mask is True where.*; got torch.bool of shape \[3, 2\]"),
        ({"index": torch.arange(2)}, r"Batch.index is the number of each example.*shape \[3\]; got .*\[2\]"),
        ({"index": torch.arange(3.0)}, r"torch.int64 of shape \[3\]; got torch.float32"),
        ({"units": {"byte": torch.tensor(3)}}, r"Batch.units\['byte'\].*shape \[3\]; got shape \[\]"),
    ],
)
def test_what_is_no_batch_of_symbols_is_refused_with_what_to_do(texts, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(texts, **change)
