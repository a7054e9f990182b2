"""CelebA-HQ and FFHQ in the layouts that there are."""

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vae.data import CelebAHQDataModule, FFHQDataModule

KINDS = pytest.mark.parametrize("kind", [CelebAHQDataModule, FFHQDataModule])


def picture(number, size=4):
    """All of one grey level, which tells which picture it is."""
    return np.full((size, size, 3), number, np.uint8)


def data_of(kind, root, **settings):
    return kind(str(root), **{"size": 4, "test_size": 3, "val_size": 2, "complete": False, **settings})


def save(folder, numbers, name="{}.png", size=4):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / name.format(number)).parent.mkdir(exist_ok=True)
        Image.fromarray(picture(number, size)).save(folder / name.format(number))


def numbers(data):
    """Which pictures each split holds."""
    splits = {split: data.images(split) for split in ("train", "val", "test")}
    return {split: store[torch.arange(len(store))][:, 0, 0, 0].tolist() for split, store in splits.items()}


@KINDS
def test_a_seed_divides_the_pictures_in_the_order_of_their_numbers(tmp_path, kind):
    save(tmp_path, range(12))

    divided = numbers(data_of(kind, tmp_path, split_seed=5))

    order = np.random.RandomState(5).permutation(12)
    expected = {"train": order[:7], "val": order[7:9], "test": order[9:]}
    assert divided == {split: sorted(part.tolist()) for split, part in expected.items()}


def test_without_a_seed_the_last_pictures_test(tmp_path):
    save(tmp_path, range(12))

    divided = numbers(data_of(FFHQDataModule, tmp_path, split_seed=None))

    assert divided == {"train": list(range(7)), "val": [7, 8], "test": [9, 10, 11]}


def test_an_array_and_files_in_subfolders_are_divided_alike(tmp_path):
    save(tmp_path / "images", range(12), name="{0:02d}000/{0:05d}.png")
    np.save(tmp_path / "ffhq-4.npy", np.stack([picture(number) for number in range(12)]))

    files, array = (numbers(data_of(FFHQDataModule, root)) for root in (tmp_path / "images", tmp_path))

    assert array == files


@pytest.mark.parametrize(("train", "test"), [("train", "valid"), ("train_data", "val_data"), ("train", "test")])
def test_folders_of_two_divide_and_the_last_that_train_validate(tmp_path, train, test):
    save(tmp_path / train, range(8), name="0/{}.png")
    save(tmp_path / test, range(8, 12))

    assert numbers(data_of(FFHQDataModule, tmp_path)) == {
        "train": [0, 1, 2, 3, 4, 5],
        "val": [6, 7],
        "test": [8, 9, 10, 11],
    }


def test_folders_of_three_divide(tmp_path):
    for split, which in {"train": [0, 1], "val": [2], "test": [3, 4]}.items():
        save(tmp_path / split, which)

    assert numbers(data_of(CelebAHQDataModule, tmp_path)) == {"train": [0, 1], "val": [2], "test": [3, 4]}


def test_larger_pictures_are_made_smaller(tmp_path):
    save(tmp_path, range(12), size=16)

    data = data_of(CelebAHQDataModule, tmp_path, split_seed=None)

    assert data.images("test")[torch.tensor([1])].shape == (1, 3, 4, 4)
    assert numbers(data)["test"] == [9, 10, 11]


def test_five_bits_are_the_floor_on_the_coarser_grid(tmp_path):
    save(tmp_path, range(100, 112))

    data = data_of(FFHQDataModule, tmp_path, split_seed=None, bits=5)
    x = data.dataset("test").__getitems__([0, 1, 2]).x

    assert data.num_values == 32
    assert x[:, 0, 0, 0].tolist() == [109 // 8, 110 // 8, 111 // 8]


@KINDS
@pytest.mark.parametrize("layout", ["files", "folders"])
def test_another_number_of_pictures_than_the_sets_own_is_refused(tmp_path, kind, layout):
    save(tmp_path / "train" if layout == "folders" else tmp_path, range(8))
    save(tmp_path / "val" if layout == "folders" else tmp_path, range(8, 12))

    with pytest.raises(
        ValueError, match=rf"has 12 pictures, {kind.title} has {kind.count:,}.*data\.init_args\.complete"
    ):
        data_of(kind, tmp_path, complete=True).prepare_data()


def test_sizes_and_names_are_known_beforehand():
    assert FFHQDataModule("nowhere", bits=5).symbols.name == "FFHQ 256, 5 bits"
    assert CelebAHQDataModule("nowhere", size=1024).shape == (3, 1024, 1024)


def test_a_folder_without_pictures_names_the_key(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no pictures in .*data\.init_args\.root"):
        data_of(FFHQDataModule, tmp_path).prepare_data()


def test_a_missing_folder_names_the_key_and_what_it_should_hold(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no faces.*data\.init_args\.root.*holds pictures.*ffhq-4\.npy"):
        data_of(FFHQDataModule, tmp_path / "faces").prepare_data()


@pytest.mark.parametrize("wrong", [{"test_size": 0}, {"val_size": 0}, {"size": 0}])
def test_numbers_out_of_their_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        data_of(FFHQDataModule, "nowhere", **wrong)
