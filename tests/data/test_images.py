"""What every data module of pictures shares."""

import numpy as np
import pytest
import torch

from lit_vae.data import DigitsDataModule, ImageDataset
from lit_vae.data.images import hold_out_last
from lit_vae.data.splits import divide
from lit_vae.data.visits import Visits


def gradients(count=64):
    """Pictures that a mirror changes, each numbered in its first pixel's row."""
    return torch.arange(count * 4, dtype=torch.uint8).view(count, 1, 2, 2)


def test_a_flip_mirrors_some_pictures_left_to_right_and_nothing_else():
    images = gradients()
    dataset = ImageDataset(images, flip=True)

    x = dataset.__getitems__(list(range(64))).x

    mirrored = (x == images.flip(-1)).flatten(1).all(1)
    unchanged = (x == images).flatten(1).all(1)
    assert (mirrored ^ unchanged).all()
    assert 16 < mirrored.sum() < 48


def test_a_flip_is_drawn_anew_in_each_epoch_and_repeats_with_seed_and_epoch():
    dataset, again = ImageDataset(gradients(), flip=True), ImageDataset(gradients(), flip=True)

    def seen(data, seed, epoch):
        data.set_epoch(seed, epoch)
        return data.__getitems__(list(range(64))).x

    first = seen(dataset, 1, 0)
    assert torch.equal(seen(again, 1, 0), first)
    assert not torch.equal(seen(dataset, 1, 1), first)
    assert not torch.equal(seen(dataset, 2, 0), first)


def test_noise_of_two_purposes_or_batches_is_unrelated():
    flips, coins = Visits(b"flip"), Visits(b"coin")

    drawn = [visits.noise([index]).uniform((8,)) for visits in (flips, coins) for index in (0, 1)]

    assert len({tuple(noise.tolist()) for noise in drawn}) == 4


def test_a_division_follows_from_names_and_seed_and_keeps_its_order_when_one_is_added():
    names = [str(i) for i in range(50)]

    one, again, other = divide(names, 0, 5, 7), divide(names, 0, 5, 7), divide(names, 1, 5, 7)
    longer = divide([*names, "new"], 0, 5, 7)

    assert one == again != other
    assert [len(one[split]) for split in ("train", "val", "test")] == [38, 5, 7]
    assert sorted(one["train"] + one["val"] + one["test"]) == list(range(50))
    assert len(set(one["test"]) - set(longer["test"])) <= 1


def test_the_last_pictures_are_held_out():
    images = np.arange(10)

    assert hold_out_last(images, "train", 3).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert hold_out_last(images, "val", 3).tolist() == [7, 8, 9]


@pytest.mark.parametrize("size", [0, -1, 10])
def test_holding_out_nothing_or_everything_is_refused(size):
    with pytest.raises(ValueError, match=r"data\.init_args\.val_size .* 10 training pictures"):
        hold_out_last(np.arange(10), "train", size)


def test_digits_are_17_grey_levels_of_which_all_occur_in_three_disjoint_splits():
    data = DigitsDataModule()

    splits = [data.images(split) for split in ("train", "val", "test")]

    assert [len(images) for images in splits] == [1437, 180, 180]
    assert torch.cat(splits).unique().tolist() == list(range(data.num_values))
    rows = torch.cat(splits).flatten(1)
    assert len(rows.unique(dim=0)) == len(rows)


def test_digits_of_another_seed_are_divided_otherwise():
    one, other = (DigitsDataModule(split_seed=seed).images("test") for seed in (0, 1))

    assert not torch.equal(one, other)
