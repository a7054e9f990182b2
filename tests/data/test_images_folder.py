"""A user's own folder of pictures."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vae.data import ImageFolderDataModule

SPLITS = ("train", "val", "test")


def picture(number, height=4, breadth=6):
    """Colours that tell which picture it is."""
    return np.random.default_rng(number).integers(256, size=(height, breadth, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    """Twenty pictures, in subfolders, too."""
    for number in range(20):
        folder = tmp_path / "cats" / "deep" if number % 2 else tmp_path
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number)).save(folder / f"{number}.png")
    return tmp_path


def folder(root, **settings):
    return ImageFolderDataModule(str(root), **settings)


def everything(data):
    return torch.cat([data.images(split) for split in SPLITS])


def test_every_picture_below_the_folder_is_in_one_split_as_it_is(root):
    data = folder(root)

    images = everything(data)

    assert [len(data.images(split)) for split in SPLITS] == [16, 2, 2]
    expected = torch.stack([torch.from_numpy(picture(number)).movedim(-1, 0) for number in range(20)])
    assert torch.equal(images.flatten(1).unique(dim=0), expected.flatten(1).unique(dim=0))


def test_shape_and_grey_levels_are_known_beforehand(root):
    symbols = folder(root).symbols

    assert (symbols.shape, symbols.num_values, symbols.name) == ((3, 4, 6), 256, root.name)
    assert folder(root, mode="grey").shape == (1, 4, 6)
    assert folder(root, size=(2, 3), fit="crop", bits=5).symbols.shape == (3, 2, 3)
    assert folder(root, bits=5).num_values == 32


def test_a_new_picture_moves_at_most_one_other_into_or_out_of_a_split(root):
    before = folder(root).files

    Image.fromarray(picture(99)).save(root / "another.png")
    after = folder(root).files

    assert len(set(before["test"]) ^ set(after["test"])) <= 2
    assert folder(root, split_seed=1).files != after


def test_folders_of_the_splits_are_the_splits(tmp_path):
    for number, split in enumerate(("train", "val", "test", "train")):
        (tmp_path / split).mkdir(exist_ok=True)
        Image.fromarray(picture(number)).save(tmp_path / split / f"{number}.png")

    names = {split: [path.name for path in paths] for split, paths in folder(tmp_path).files.items()}

    assert names == {"train": ["0.png", "3.png"], "val": ["1.png"], "test": ["2.png"]}


def test_a_crop_keeps_the_middle_and_a_stretch_all_of_it(tmp_path):
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 200
    for number in range(3):
        Image.fromarray(wide).save(tmp_path / f"{number}.png")

    cropped = folder(tmp_path, size=(4, 4), fit="crop").images("train")
    stretched = folder(tmp_path, size=(4, 4), fit="stretch").images("train")

    assert (cropped == 200).all()
    assert (stretched[..., [0, -1]] < 50).all()
    assert (stretched[..., 1:-1] > 100).all()


@pytest.mark.parametrize("fit", ["crop", "stretch", "exact"])
def test_pictures_that_have_the_size_are_not_touched(root, fit):
    plain, fitted = folder(root).images("train"), folder(root, size=(4, 6), fit=fit).images("train")

    assert torch.equal(fitted, plain)


@pytest.mark.parametrize("bits", [1, 3, 7])
def test_fewer_bits_are_the_floor_on_the_coarser_grid(root, bits):
    everyone = list(range(16))

    plain, coarse = (folder(root, bits=kept).dataset("train").__getitems__(everyone).x for kept in (8, bits))

    assert torch.equal(coarse, torch.floor(plain / 2 ** (8 - bits)).to(torch.uint8))
    assert coarse.max() == 2**bits - 1


def test_hidden_files_and_other_files_are_passed_over(root):
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "a.png").write_bytes(b"junk")
    (root / "._0.png").write_bytes(b"junk")
    (root / "notes.txt").write_text("words")

    assert len(everything(folder(root))) == 20


def test_a_missing_folder_names_the_near_misses_and_the_key(root):
    with pytest.raises(FileNotFoundError, match=r"has no cat .there is cats.*data\.init_args\.root \(--data\.root\)"):
        _ = folder(root / "cat").symbols


def test_a_file_in_the_place_of_the_folder_is_named(root):
    with pytest.raises(NotADirectoryError, match=r"0\.png is a file.*data\.init_args\.root"):
        _ = folder(root / "0.png").symbols


def test_a_folder_without_pictures_says_what_it_holds_instead(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no pictures in .*holds nothing.*data\.init_args\.root"):
        _ = folder(tmp_path).symbols

    (tmp_path / "a.npy").touch()
    with pytest.raises(FileNotFoundError, match=r"holds 1 \.npy; pictures end in .*\.jpg"):
        _ = folder(tmp_path).symbols


def test_a_corrupt_picture_is_named_or_skipped_and_counted_if_asked(root):
    folder(root).files["train"][3].write_bytes(b"junk")
    name = folder(root).files["train"][3].name

    with pytest.raises(ValueError, match=rf"{name} cannot be read.*data\.init_args\.skip_corrupt"):
        folder(root).images("train")
    with pytest.warns(UserWarning, match=rf"skipped 1 of 16 train pictures that cannot be read: {name}"):
        images = folder(root, skip_corrupt=True).images("train")
    assert len(images) == 15
    assert torch.equal(images, folder_without(root, name).images("train"))


def folder_without(root, name):
    next(root.rglob(name)).unlink()
    data = folder(root)
    data.files["train"] = [path for path in data.files["train"] if path.name != name]
    return data


def test_a_first_picture_that_is_corrupt_is_skipped_if_asked(root):
    first = sorted(path for paths in folder(root).files.values() for path in paths)[0]
    first.write_bytes(b"junk")

    with pytest.raises(ValueError, match=rf"{first.name} cannot be read"):
        _ = folder(root).symbols
    assert folder(root, skip_corrupt=True).shape == (3, 4, 6)


def test_a_split_of_nothing_but_corrupt_pictures_is_refused(root):
    for path in folder(root).files["val"]:
        path.write_bytes(b"junk")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"none of the 2 val pictures can be read"):
            folder(root, skip_corrupt=True).images("val")


def test_pictures_of_mixed_size_are_named_with_the_keys(root):
    Image.fromarray(picture(0, 5, 6)).save(root / "0.png")

    with pytest.raises(ValueError, match=r"0\.png is .* high and .* wide.*init_args\.size and data\.init_args\.fit"):
        everything(folder(root))
    with pytest.raises(ValueError, match=r"0\.png is 5 high and 6 wide, data\.init_args\.size is 4 and 6"):
        everything(folder(root, size=(4, 6)))
    assert everything(folder(root, size=(4, 6), fit="crop")).shape == (20, 3, 4, 6)


def test_grey_among_colour_is_named_with_the_key(root):
    Image.fromarray(picture(0)[..., 0]).save(root / "0.png")

    with pytest.raises(ValueError, match=r"0\.png has \d channels?.*set data\.init_args\.mode to grey or rgb"):
        everything(folder(root))
    assert everything(folder(root, mode="rgb")).shape == (20, 3, 4, 6)
    assert everything(folder(root, mode="grey")).shape == (20, 1, 4, 6)


def test_two_of_three_split_folders_and_pictures_outside_them_are_refused(root):
    (root / "train").mkdir()
    (root / "test").mkdir()
    with pytest.raises(ValueError, match=r"folders train and test.*add the third.*data\.init_args\.root"):
        _ = folder(root).files

    (root / "val").mkdir()
    with pytest.raises(ValueError, match=r"0\.png is outside the folders train, val and test"):
        _ = folder(root).files


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"bits": 0}, "bits"),
        ({"bits": 9}, "bits"),
        ({"fit": "crop"}, "size"),
        ({"size": (0, 4)}, "size"),
        ({"val_fraction": 0.0}, "val_fraction"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "test_fraction"),
    ],
)
def test_arguments_that_contradict_are_refused(wrong, key):
    with pytest.raises(ValueError, match=key):
        ImageFolderDataModule("pictures", **wrong)
