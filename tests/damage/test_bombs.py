"""Small files that would unpack to more than the memory holds, and archives that would write elsewhere."""

import gzip
import io
import tarfile
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.serialization import config

from lit_vae.damage import Damaged, refuse_damaged
from lit_vae.data.images_batches import read_batch
from lit_vae.data.images_decoding import UnsuitablePicture, read_picture
from lit_vae.data.images_mnist import read_idx

MEGABYTES = 1 << 20


@contextmanager
def little_memory():
    """Holds what is run to 50 MB."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 50 * MEGABYTES
    finally:
        tracemalloc.stop()


def test_a_compressed_mnist_is_unpacked_no_further_than_it_announces(tmp_path):
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    header = b"".join(number.to_bytes(4) for number in (2051, 1, 28, 28))
    with gzip.open(path, "wb", 1) as file:
        file.write(header)
        for _ in range(200):
            file.write(bytes(MEGABYTES))

    with little_memory(), pytest.raises(ValueError, match=r"gz is damaged \(it holds more than it announces"):
        read_idx(path)


def test_a_mnist_that_announces_too_much_is_refused_unread(tmp_path):
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"".join(number.to_bytes(4) for number in (2051, 2**31, 28, 28))))

    with pytest.raises(ValueError, match="it announces 2,147,483,648 pictures of 28 by 28"):
        read_idx(path)


def write_npz(path, rows, megabytes):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (rows, 192)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data.npy", "w") as file:
        file.write(header.getvalue())
        for _ in range(megabytes):
            file.write(bytes(MEGABYTES))


@pytest.mark.parametrize(("rows", "megabytes"), [(10**9, 1), (2, 200), (2, 0)])
def test_a_batch_is_unpacked_no_further_than_it_announces(tmp_path, rows, megabytes):
    path = tmp_path / "train_data_batch_1.npz"
    write_npz(path, rows, megabytes)

    with little_memory(), pytest.raises(ValueError, match=r"train_data_batch_1\.npz cannot be read .*announces"):
        read_batch(path, 8)


@pytest.mark.parametrize("factor", [1.5, 3])
def test_a_picture_of_too_many_pixels_is_refused(tmp_path, monkeypatch, factor):
    Image.new("L", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(10_000 / factor))

    with pytest.raises(UnsuitablePicture, match=r"bomb\.png .*pixels.*"):
        read_picture(tmp_path / "bomb.png", None, None)


def test_a_text_in_a_picture_is_not_unpacked_without_bound(tmp_path):
    def chunk(kind, content):
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    image = io.BytesIO()
    Image.new("L", (2, 2)).save(image, "png")
    content = image.getvalue()
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 * MEGABYTES)))
    (tmp_path / "bomb.png").write_bytes(content[:33] + bomb + content[33:])

    with little_memory(), pytest.raises(UnsuitablePicture, match=r"bomb\.png cannot be read"):
        read_picture(tmp_path / "bomb.png", None, None)


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(100 * MEGABYTES))

    with pytest.raises(Damaged, match="compressed"):
        refuse_damaged(path)


def test_a_checkpoint_whose_parts_share_a_place_is_refused(tmp_path):
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(100_000))
        (part,) = archive.filelist
        archive.filelist += [part] * 3

    with pytest.raises(Damaged, match="one name"):
        refuse_damaged(path)


def test_checksums_that_were_never_computed_are_none(tmp_path):
    path = tmp_path / "without.pt"
    with config.patch({"save.compute_crc32": False}):
        torch.save({"w": torch.ones(9)}, path)

    refuse_damaged(path)


def member(name, **settings):
    found = tarfile.TarInfo(name)
    for key, value in settings.items():
        setattr(found, key, value)
    return found


@pytest.mark.parametrize(
    "found",
    [
        member("../outside.txt"),
        member("/tmp/lit_vae_outside.txt"),
        member("link", type=tarfile.SYMTYPE, linkname="../.."),
    ],
)
def test_an_archive_that_is_not_the_published_one_is_not_unpacked(tmp_path, monkeypatch, found):
    from lit_vae.data import CIFAR10DataModule

    root = tmp_path / "data"
    root.mkdir()
    with tarfile.open(root / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.addfile(found)
    came = "torchvision.datasets.utils"  # what a server sent is what lies there
    monkeypatch.setattr(f"{came}._get_redirect_url", lambda url, max_hops: url)
    monkeypatch.setattr(f"{came}._urlretrieve", lambda url, file, *_: None)

    with pytest.raises(ValueError, match="CIFAR-10 cannot be fetched"):
        CIFAR10DataModule(str(root), download=True).prepare_data()

    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert [path.name for path in root.iterdir()] == ["cifar-10-python.tar.gz"]
