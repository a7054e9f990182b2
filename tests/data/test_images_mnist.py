"""MNIST from files in torchvision's layout."""

import gzip
import os
import struct

import numpy as np
import pytest
import torch

from lit_vae.data import MNISTDataModule

FILES = {"train-images-idx3-ubyte": 12, "t10k-images-idx3-ubyte": 4}


def pixels(name):
    return np.random.default_rng(FILES[name]).integers(256, size=(FILES[name], 28, 28), dtype=np.uint8)


def idx(name, magic=2051):
    return struct.pack(">4I", magic, FILES[name], 28, 28) + pixels(name).tobytes()


@pytest.fixture
def raw(tmp_path):
    """The folder of the files."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx(name)))
    return folder


def mnist(root, **settings):
    return MNISTDataModule(str(root), val_size=5, **settings)


def test_pixels_come_as_they_are_in_the_file_and_the_last_validate(raw, tmp_path):
    data = mnist(tmp_path)

    splits = {split: data.images(split) for split in ("train", "val", "test")}

    train, test = (torch.from_numpy(pixels(name)).unsqueeze(1) for name in FILES)
    assert torch.equal(splits["train"], train[:7])
    assert torch.equal(splits["val"], train[7:])
    assert torch.equal(splits["test"], test)


def test_files_may_be_extracted_and_the_root_is_only_read(raw, tmp_path):
    for name in FILES:
        (raw / f"{name}.gz").unlink()
        (raw / name).write_bytes(idx(name))
    before = sorted(tmp_path.rglob("*"))

    data = mnist(tmp_path)
    data.prepare_data()

    assert torch.equal(data.images("test").squeeze(1), torch.from_numpy(pixels("t10k-images-idx3-ubyte")))
    assert sorted(tmp_path.rglob("*")) == before


def test_binarized_pixels_are_white_as_often_as_the_grey_level_says(raw, tmp_path):
    dataset, grey = mnist(tmp_path, binarize=True).dataset("train"), mnist(tmp_path).images("train")
    indices = list(range(len(grey)))

    epochs = []
    for epoch in range(200):
        dataset.set_epoch(0, epoch)
        epochs.append(dataset.__getitems__(indices).x)

    assert torch.stack(epochs).unique().tolist() == [0, 1]
    rate, expected = torch.stack(epochs).double().mean(0), grey.double() / 255
    standard_error = (expected * (1 - expected) / 200).sqrt().clamp(min=1e-9)
    assert ((rate - expected) / standard_error).abs().max() < 6
    assert ((rate - expected) / standard_error).square().mean() == pytest.approx(1.0, abs=0.1)


def test_black_stays_black_and_white_stays_white(raw, tmp_path):
    data = mnist(tmp_path, binarize=True)
    grey = data.images("val")
    grey[:, :, :14], grey[:, :, 14:] = 0, 255

    x = data.dataset("val").__getitems__([0, 1, 2]).x

    assert x[:, :, :14].max() == 0
    assert x[:, :, 14:].min() == 1


def test_an_evaluation_sees_the_same_coins_in_every_epoch_and_batch(raw, tmp_path):
    dataset = mnist(tmp_path, binarize=True).dataset("test")
    together = dataset.__getitems__([0, 1, 2, 3]).x

    dataset.set_epoch(5, 5)
    apart = torch.cat([dataset[i].x for i in range(4)])

    assert torch.equal(apart, together)
    assert not torch.equal(together[0], together[1])


def test_symbols_are_known_before_the_files_are_there():
    assert MNISTDataModule("nowhere").num_values == 256
    assert MNISTDataModule("nowhere", binarize=True).num_values == 2
    assert MNISTDataModule("nowhere").shape == (1, 28, 28)


def test_a_missing_folder_names_the_near_misses_and_the_key(tmp_path):
    (tmp_path / "datas").mkdir()

    with pytest.raises(FileNotFoundError, match=r"has no data .*datas.*data\.init_args\.root.*--data\.download"):
        mnist(tmp_path / "data").prepare_data()


def test_a_folder_without_the_files_names_what_is_missing(raw, tmp_path):
    (raw / "t10k-images-idx3-ubyte.gz").unlink()

    with pytest.raises(FileNotFoundError, match=r"MNIST/raw has no t10k-images-idx3-ubyte\.gz.*data\.init_args\.root"):
        mnist(tmp_path).prepare_data()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip at all",
        gzip.compress(idx("t10k-images-idx3-ubyte"))[:-40],
        gzip.compress(idx("t10k-images-idx3-ubyte")[:-1]),
        gzip.compress(idx("t10k-images-idx3-ubyte") + b"1"),
        gzip.compress(idx("t10k-images-idx3-ubyte", magic=2049)),
    ],
    ids=["empty", "not gzip", "truncated", "short", "long", "labels"],
)
def test_a_damaged_file_is_named(raw, tmp_path, content):
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(content)

    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte\.gz (is damaged|holds no pictures).*fetch it again"):
        mnist(tmp_path).images("test")


def test_a_download_goes_through_torchvision_and_only_when_asked_for(raw, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("torchvision.datasets.MNIST", lambda root, download: asked.append((root, download)))

    mnist(tmp_path).prepare_data()
    mnist(tmp_path, download=True).prepare_data()

    assert asked == [(os.fspath(tmp_path), True)]
