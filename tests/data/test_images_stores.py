"""Pictures that stay on disk until a batch asks for them."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vae.data import ImageDataset
from lit_vae.data.images_stores import ArrayStore, FileStore, MemoryStore, Selection


def pictures(count=6, size=4):
    return np.random.default_rng(0).integers(256, size=(count, size, size, 3), dtype=np.uint8)


def channels_first(images):
    return torch.from_numpy(images).movedim(-1, 1)


@pytest.fixture
def folder(tmp_path):
    """The same pictures as files and as an array."""
    np.save(tmp_path / "all.npy", pictures())
    for number, image in enumerate(pictures()):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    return tmp_path


def stores(folder):
    whole = channels_first(pictures())
    return {
        "array": ArrayStore(folder / "all.npy", 4),
        "files": FileStore(folder, [f"{number}.png" for number in range(6)], 4),
        "memory": MemoryStore([whole[:1], whole[1:4], whole[4:]]),
    }


@pytest.mark.parametrize("kind", ["array", "files", "memory"])
def test_pictures_come_in_the_order_asked_for_also_in_another_process(folder, kind):
    store = pickle.loads(pickle.dumps(stores(folder)[kind]))

    fetched = store[torch.tensor([5, 0, 3, 3])]

    assert len(store) == 6
    assert fetched.dtype == torch.uint8
    assert fetched.is_contiguous()
    assert torch.equal(fetched, channels_first(pictures())[[5, 0, 3, 3]])


def test_an_array_on_disk_is_not_copied_to_a_loader_process(folder):
    np.save(folder / "all.npy", pictures(500))

    assert len(pickle.dumps(ArrayStore(folder / "all.npy", 4))) < 1000


def test_some_pictures_are_numbered_from_zero(folder):
    some = Selection(stores(folder)["array"], np.array([4, 1]))

    assert len(some) == 2
    assert torch.equal(some[torch.tensor([1, 0])], channels_first(pictures())[[1, 4]])


def test_pictures_on_disk_and_in_memory_make_the_same_batches(folder):
    whole = channels_first(pictures())

    one, other = (ImageDataset(images, flip=True, bits=5) for images in (whole, stores(folder)["files"]))

    batches = [dataset.__getitems__([0, 2, 5]) for dataset in (one, other)]
    assert torch.equal(batches[0].x, batches[1].x)
    assert batches[0].x.max() < 32


@pytest.mark.parametrize("bits", [1, 5])
def test_fewer_bits_are_the_floor_on_the_coarser_grid(bits):
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)

    coarse = ImageDataset(levels, bits=bits)[0].x

    assert torch.equal(coarse, (levels.double() / 2 ** (8 - bits)).floor().to(torch.uint8))
    assert coarse.unique().tolist() == list(range(2**bits))


def test_a_larger_square_is_made_smaller_by_the_filter_that_is_named(tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, ::2] = 100
    Image.fromarray(image).save(tmp_path / "0.png")

    averaged = FileStore(tmp_path, ["0.png"], 4, "box")[torch.tensor([0])]

    assert (averaged == 50).all()


@pytest.mark.parametrize(("shape", "resample"), [((8, 8), None), ((8, 6), "box"), ((2, 2), "box")])
def test_a_picture_that_does_not_fit_is_named(tmp_path, shape, resample):
    Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(tmp_path / "a.png")

    with pytest.raises(
        ValueError, match=r"a\.png is \d wide and \d high, expected pictures of 4 by 4.*init_args\.size"
    ):
        FileStore(tmp_path, ["a.png"], 4, resample)[torch.tensor([0])]


def test_a_damaged_picture_is_named(folder):
    (folder / "3.png").write_bytes(b"junk")

    with pytest.raises(ValueError, match=r"3\.png cannot be read as a picture.*fetch it again"):
        stores(folder)["files"][torch.tensor([3])]


def test_a_damaged_array_and_one_of_something_else_are_named(folder):
    with pytest.raises(
        ValueError, match=r"all\.npy should hold uint8 .*8, 8, 3\], got uint8 \[6, 4, 4, 3\].*args\.size"
    ):
        ArrayStore(folder / "all.npy", 8)

    (folder / "all.npy").write_bytes((folder / "all.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"all\.npy is damaged.*data\.init_args\.root"):
        ArrayStore(folder / "all.npy", 4)
