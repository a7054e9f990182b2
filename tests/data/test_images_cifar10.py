"""CIFAR-10 from arrays and through torchvision."""

import numpy as np
import pytest
import torch

from lit_vae.data import CIFAR10DataModule

TRAIN = np.random.default_rng(0).integers(256, size=(12, 32, 32, 3), dtype=np.uint8)
TEST = np.random.default_rng(1).integers(256, size=(4, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def arrays(tmp_path):
    """A folder with the arrays."""
    np.save(tmp_path / "cifar10_train.npy", TRAIN)
    np.save(tmp_path / "cifar10_test1017.npy", TEST)
    return tmp_path


class Torchvision:
    """In the place of torchvision's data set, which would check the real files."""

    asked: list[bool] = []  # noqa: RUF012

    def __init__(self, root, train=True, download=False):
        self.asked.append(download)
        self.data = TRAIN if train else TEST


def cifar(root, **settings):
    return CIFAR10DataModule(str(root), val_size=5, **settings)


def channels_first(images):
    return torch.from_numpy(images).movedim(-1, 1)


def test_pixels_come_as_they_are_in_the_arrays_and_the_last_validate(arrays):
    data = cifar(arrays)

    splits = {split: data.images(split) for split in ("train", "val", "test")}

    assert torch.equal(splits["train"], channels_first(TRAIN[:7]))
    assert torch.equal(splits["val"], channels_first(TRAIN[7:]))
    assert torch.equal(splits["test"], channels_first(TEST))


def test_pictures_are_flipped_in_training_alone(arrays):
    data = cifar(arrays, flip=True)

    assert data.dataset("train").flip
    assert not data.dataset("val").flip
    assert not data.dataset("test").flip


def test_a_part_of_the_test_set_says_so_in_its_name(arrays, tmp_path):
    assert cifar(arrays).symbols.name == "CIFAR-10, first 1,017 test pictures"
    assert cifar(arrays, download=True).symbols.name == "CIFAR-10"
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert cifar(arrays).symbols.name == "CIFAR-10"


def test_torchvisions_folder_goes_before_the_arrays(arrays, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.CIFAR10", Torchvision)
    (arrays / "cifar-10-batches-py").mkdir()
    for file in arrays.glob("*.npy"):
        file.unlink()

    data = cifar(arrays)
    data.prepare_data()

    assert torch.equal(data.images("val"), channels_first(TRAIN[7:]))
    assert torch.equal(data.images("test"), channels_first(TEST))


def test_a_download_goes_through_torchvision_and_only_when_asked_for(arrays, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.CIFAR10", Torchvision)
    monkeypatch.setattr(Torchvision, "asked", [])

    cifar(arrays).prepare_data()
    cifar(arrays, download=True).prepare_data()

    assert Torchvision.asked == [True]


def test_torchvisions_folder_without_its_files_names_the_keys(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()

    with pytest.raises(ValueError, match=r"cifar-10-batches-py is incomplete.*data\.init_args\.root.*--data\.download"):
        cifar(tmp_path).images("train")


def test_symbols_are_known_before_the_files_are_there():
    data = CIFAR10DataModule("nowhere")

    assert (data.num_values, data.shape, data.symbols.name) == (256, (3, 32, 32), "CIFAR-10")


def test_a_folder_without_either_layout_names_both_and_the_keys(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither cifar10_train\.npy nor cifar-10.*data\.init_args\.root.*"):
        cifar(tmp_path).prepare_data()


def test_a_damaged_array_is_named(arrays):
    file = arrays / "cifar10_train.npy"
    file.write_bytes(file.read_bytes()[:5000])

    with pytest.raises(ValueError, match=r"cifar10_train\.npy is damaged.*data\.init_args\.root"):
        cifar(arrays).images("train")


def test_an_array_of_something_else_is_named_with_what_it_holds(arrays):
    np.save(arrays / "cifar10_train.npy", TRAIN.astype(float))

    with pytest.raises(ValueError, match=r"cifar10_train\.npy should hold uint8.*got float64 \[12, 32, 32, 3\]"):
        cifar(arrays).images("train")
