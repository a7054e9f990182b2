"""Downsampled ImageNet in the layouts that there are."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vae.data import ImageNetDataModule
from lit_vae.data import images_imagenet as imagenet
from lit_vae.data.images_batches import read_batch

DOCS = Path(__file__).parents[2] / "docs" / "published_models.md"
TRAIN = np.random.default_rng(0).integers(256, size=(12, 32, 32, 3), dtype=np.uint8)
TEST = np.random.default_rng(1).integers(256, size=(4, 32, 32, 3), dtype=np.uint8)


def rows(images):
    """As the official files hold them: all of red, then green, then blue."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def write_arrays(root):
    np.save(root / "imagenet32-train.npy", TRAIN)
    np.save(root / "imagenet32-valid.npy", TEST)


def write_npz(root):
    for part in ("Imagenet32_train_npz", "Imagenet32_val_npz"):
        (root / part).mkdir()
    order = [("1", TRAIN[:5]), ("2", TRAIN[5:7]), ("10", TRAIN[7:])]
    for number, images in order:
        file = root / "Imagenet32_train_npz" / f"train_data_batch_{number}.npz"
        np.savez(file, data=rows(images), labels=np.arange(len(images)), mean=np.zeros(3072))
    np.savez(root / "Imagenet32_val_npz" / "val_data.npz", data=rows(TEST), labels=np.arange(4))


def write_pickles(root):
    for name, images in {"train_data_batch_1": TRAIN[:5], "train_data_batch_2": TRAIN[5:], "val_data": TEST}.items():
        batch = {"data": rows(images), "labels": list(range(len(images))), "mean": np.zeros(3072)}
        (root / name).write_bytes(pickle.dumps(batch))


def write_files(root):
    for part, images in {"train_32x32": TRAIN, "valid_32x32": TEST}.items():
        (root / part).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(root / part / f"{number:05d}.png")


def data_of(root, **settings):
    return ImageNetDataModule(str(root), **{"val_size": 3, "complete": False, **settings})


def everything(store):
    return store[torch.arange(len(store))]


def channels_first(images):
    return torch.from_numpy(images).movedim(-1, 1)


@pytest.mark.parametrize("write", [write_arrays, write_npz, write_pickles, write_files])
def test_every_layout_holds_the_same_pictures_in_the_same_splits(tmp_path, write):
    write(tmp_path)

    data = data_of(tmp_path)
    data.prepare_data()

    order = np.random.RandomState(42).permutation(12)
    assert torch.equal(everything(data.images("train")), channels_first(TRAIN[np.sort(order[:-3])]))
    assert torch.equal(everything(data.images("val")), channels_first(TRAIN[np.sort(order[-3:])]))
    assert torch.equal(everything(data.images("test")), channels_first(TEST))


def test_the_older_and_the_newer_set_go_by_different_names():
    assert data_of("nowhere", complete=True).symbols.name == "ImageNet (box) 32"
    assert data_of("nowhere", size=64, version="small", complete=True).symbols.name == "ImageNet (small) 64"
    assert data_of("nowhere").symbols.name == "ImageNet (box) 32, perhaps not all of it"
    assert data_of("nowhere", size=64).shape == (3, 64, 64)


def test_another_number_of_pictures_than_the_sets_own_is_refused(tmp_path, monkeypatch):
    write_arrays(tmp_path)

    with pytest.raises(ValueError, match=r"12 training pictures, ImageNet \(box\) has 1,281,167.*init_args\.complete"):
        data_of(tmp_path, complete=True).prepare_data()
    monkeypatch.setitem(imagenet.COUNTS, "small", (12, 4))
    data_of(tmp_path, version="small", complete=True).prepare_data()


def test_a_folder_without_any_layout_names_all_of_them(tmp_path):
    (tmp_path / "notes.txt").touch()

    with pytest.raises(
        FileNotFoundError, match=r"holds notes\.txt.*imagenet32-train\.npy.*train_data_batch_1.*train_32"
    ):
        data_of(tmp_path).prepare_data()


def test_two_sets_in_one_folder_are_refused(tmp_path):
    write_npz(tmp_path)
    (tmp_path / "more").mkdir()
    np.savez(tmp_path / "more" / "train_data_batch_1.npz", data=rows(TRAIN))

    with pytest.raises(ValueError, match=r"several files of one name.*data\.init_args\.root"):
        data_of(tmp_path).prepare_data()


def test_batches_of_another_size_are_named_with_the_key(tmp_path):
    write_npz(tmp_path)

    with pytest.raises(
        ValueError, match=r"batch_1\.npz should hold .* 12288\] .* 64 by 64, got uint8 \[5, 3072\].*size"
    ):
        data_of(tmp_path, size=64).prepare_data()


def test_the_docs_make_arrays_of_batches(tmp_path):
    for number in range(1, 11):
        np.savez(tmp_path / f"train_data_batch_{number}.npz", data=rows(TRAIN[number - 1 : number]))
    np.savez(tmp_path / "val_data.npz", data=rows(TEST))
    (block,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    ours = block.replace("data/imagenet", str(tmp_path)).replace("64", "32")

    exec(ours, {})

    assert np.array_equal(np.load(tmp_path / "imagenet32-train.npy"), TRAIN[:10])
    assert np.array_equal(np.load(tmp_path / "imagenet32-valid.npy"), TEST)


class Program:
    """What a pickle that does something looks like."""

    def __reduce__(self):
        return print, ("was run",)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_arrays_are_read_from_a_pickle_of_any_protocol_and_programs_are_not_run(tmp_path, protocol, capsys):
    (tmp_path / "good").write_bytes(pickle.dumps({"data": rows(TEST), "mean": np.float64(1.0)}, protocol))
    (tmp_path / "bad").write_bytes(pickle.dumps({"data": Program()}, protocol))

    pictures = read_batch(tmp_path / "good", 32)

    assert torch.equal(pictures, channels_first(TEST))
    with pytest.raises(ValueError, match=r"bad cannot be read as a batch.*asks for .*print, which no array needs"):
        read_batch(tmp_path / "bad", 32)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps([1]), pickle.dumps({"images": 1})])
@pytest.mark.parametrize("name", ["val_data", "val_data.npz"])
def test_a_damaged_batch_is_named(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ValueError, match=rf"{name} cannot be read as a batch of pictures.*fetch it again"):
        read_batch(tmp_path / name, 32)


@pytest.mark.parametrize(
    ("wrong", "key"), [({"size": 16}, "size"), ({"version": "old"}, "version"), ({"bits": 9}, "bits")]
)
def test_arguments_out_of_their_range_are_refused(wrong, key):
    with pytest.raises(ValueError, match=key):
        data_of("nowhere", **wrong)


@pytest.mark.parametrize("val_size", [0, 12])
def test_holding_out_nothing_or_everything_is_refused(tmp_path, val_size):
    write_arrays(tmp_path)

    with pytest.raises(ValueError, match=rf"data\.init_args\.val_size .* hold out some of 12 pictures.*got {val_size}"):
        data_of(tmp_path, val_size=val_size).prepare_data()
