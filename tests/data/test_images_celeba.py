"""CelebA in torchvision's layout."""

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vae.data import CelebADataModule
from lit_vae.data import images_celeba as celeba

SPLITS = {"000001.png": 0, "000002.png": 0, "000003.png": 1, "000004.png": 2}


def picture(number):
    """A column of the crop in each grey level, and the number outside of the crop."""
    image = np.full((218, 178, 3), 200 + number, np.uint8)
    image[40:188, 15:163] = np.arange(148)[None, :, None]
    return image


@pytest.fixture
def root(tmp_path):
    """A few pictures, without the losses of JPEG."""
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    for number, name in enumerate(SPLITS):
        Image.fromarray(picture(number)).save(folder / name)
    lines = "\n".join(f"{name} {split}" for name, split in SPLITS.items())
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text(f"{lines}\n")
    return tmp_path


def data_of(root, **settings):
    return CelebADataModule(str(root), **{"complete": False, **settings})


def test_the_partition_divides_the_pictures(root):
    data = data_of(root)

    names = {split: data.images(split).names for split in ("train", "val", "test")}

    assert names == {"train": ["000001.png", "000002.png"], "val": ["000003.png"], "test": ["000004.png"]}
    assert data_of(root / "celeba").images("val").names == ["000003.png"]


def test_the_face_is_cropped_and_made_smaller(root):
    whole, small = (data_of(root, size=size).images("val")[torch.tensor([0])] for size in (148, 74))

    assert torch.equal(whole, torch.arange(148, dtype=torch.uint8).expand(1, 3, 148, 148))
    assert small.shape == (1, 3, 74, 74)
    assert (small[..., 1:-1].double() - (2 * torch.arange(1, 73) + 0.5)).abs().max() <= 0.5


def test_size_and_grey_levels_are_known_beforehand():
    data = CelebADataModule("nowhere", bits=5)

    assert (data.shape, data.num_values, data.symbols.name) == ((3, 64, 64), 32, "CelebA 64, 5 bits")


def test_missing_pictures_are_refused_unless_a_part_is_asked_for(root, monkeypatch):
    (root / "celeba" / "img_align_celeba" / "000002.png").unlink()
    monkeypatch.setattr(celeba, "COUNTS", {"train": 2, "val": 1, "test": 1})

    with pytest.raises(FileNotFoundError, match=r"lacks 1 of the 4 pictures.*000002\.png: .*init_args\.complete"):
        data_of(root, complete=True).prepare_data()
    assert data_of(root).images("train").names == ["000001.png"]


def test_another_number_of_pictures_than_celebas_own_is_refused(root):
    with pytest.raises(ValueError, match=r"has 2 pictures for train, CelebA has 162,770.*data\.init_args\.complete"):
        data_of(root, complete=True).prepare_data()


@pytest.mark.parametrize("missing", ["img_align_celeba", "list_eval_partition.txt"])
def test_what_is_missing_is_named_with_the_layout(root, missing):
    path = root / "celeba" / missing
    path.rename(path.with_name("elsewhere"))

    with pytest.raises(
        FileNotFoundError, match=rf"celeba has no {missing}: .*holds celeba/img_align_celeba and celeba"
    ):
        data_of(root).prepare_data()


def test_an_archive_that_is_not_extracted_is_named(root):
    folder = root / "celeba" / "img_align_celeba"
    folder.rename(folder.with_name("elsewhere"))
    folder.with_suffix(".zip").touch()

    with pytest.raises(FileNotFoundError, match=r"img_align_celeba\.zip is there: extract it"):
        data_of(root).prepare_data()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("000001.png 0\n000002.png\n", r"line 2 of .*partition\.txt is '000002\.png', expected"),
        ("000001.png 3\n", r"line 1 of .* expected a picture's name and 0, 1 or 2"),
        ("000001.png 0\n000001.png 1\n", r"lists 000001\.png 2 times"),
        ("", r"partition\.txt lists no picture"),
    ],
)
def test_a_partition_that_reads_otherwise_is_refused(root, text, message):
    (root / "celeba" / "list_eval_partition.txt").write_text(text)

    with pytest.raises(ValueError, match=message):
        data_of(root).prepare_data()


def test_a_split_without_a_picture_is_refused(root):
    (root / "celeba" / "img_align_celeba" / "000003.png").unlink()

    with pytest.raises(FileNotFoundError, match=r"no picture for val"):
        data_of(root).prepare_data()


def test_a_picture_that_is_not_aligned_is_named(root):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(root / "celeba" / "img_align_celeba" / "000003.png")

    with pytest.raises(
        ValueError, match=r"000003\.png is 64 wide and 64 high, the crop is for pictures of \(178, 218\)"
    ):
        data_of(root).images("val")[torch.tensor([0])]


def test_a_size_above_the_crops_is_refused():
    with pytest.raises(ValueError, match=r"data\.init_args\.size goes up to 148"):
        CelebADataModule(size=149)
