"""Which data a run was trained on."""

import pytest
import torch

from lit_vae.data import ImageDataset
from lit_vae.data.identity import Identity


def pictures(count=100, seed=0):
    return torch.randint(256, (count, 1, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def identity(train=None, val=None, name="pictures"):
    train = pictures() if train is None else train
    return Identity.of(name, ImageDataset(train), ImageDataset(pictures(20, 1) if val is None else val))


def test_the_same_examples_are_the_same_data_whatever_they_are_called():
    identity(name="here").refuse_other({"data": identity(name="there").state()}, "runs/mine")


@pytest.mark.parametrize(
    "other",
    [
        identity(train=pictures(seed=2)),
        identity(train=pictures()[:-1]),
        identity(val=pictures(20, 3)),
        identity(train=pictures().view(-1, 1, 2, 8)),
    ],
    ids=["other pictures", "one less", "another validation split", "another shape"],
)
def test_other_examples_are_other_data(other):
    with pytest.raises(ValueError, match=r"runs/mine was trained on 'pictures'.*fit --init_from runs/mine"):
        other.refuse_other({"data": identity().state()}, "runs/mine")


@pytest.mark.parametrize("checkpoint", [{}, {"data": None}])
def test_a_run_that_does_not_say_what_it_was_trained_on_goes_on(checkpoint):
    identity().refuse_other(checkpoint, "runs/mine")


def test_data_without_a_validation_split_is_other_data_than_the_same_with_one():
    alone = Identity.of("pictures", ImageDataset(pictures()), None)

    alone.refuse_other({"data": alone.state()}, "runs/mine")

    assert (alone.train, alone.val) == (100, 0)
    assert alone.digest != identity().digest


def test_a_split_without_examples_is_refused():
    with pytest.raises(ValueError, match="the validation split of 'pictures' has no examples"):
        identity(val=pictures(0))
