"""TIFF files are read exactly, or refused with what of them would be lost."""

import io

import numpy as np
import pytest
from PIL import Image
from tiff_files import levels, tiff

from lit_vae.data import ImageFolderDataModule
from lit_vae.data.images_decoding import UnsuitablePicture, as_array, read_picture

UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2
PALETTE, CMYK, LAB = 3, 5, 8


def read(path, content, mode=None, background=None, first_frame=False):
    path.write_bytes(content)
    return as_array(read_picture(path, mode, background, first_frame))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "field.tif"


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_grey_and_colour_come_as_they_are(path, shape):
    pixels = levels(*shape)

    assert np.array_equal(read(path, tiff(pixels)), np.atleast_3d(pixels).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("bands", "marks", "extra"),
    [
        (4, {"extra": [UNSPECIFIED]}, 1),
        (4, {}, 1),
        (4, {"interpretation": 1}, 3),
        (2, {"extra": [UNSPECIFIED]}, 1),
        (2, {}, 1),
        (5, {"extra": [UNSPECIFIED, UNSPECIFIED]}, 2),
        (5, {"extra": [UNASSOCIATED, UNSPECIFIED]}, 2),
        (8, {"extra": [UNSPECIFIED] * 5}, 5),
        (5, {"interpretation": CMYK, "extra": [UNSPECIFIED]}, 1),
    ],
)
@pytest.mark.parametrize("mode", [None, "rgb", "grey"])
def test_bands_beside_the_colours_are_refused_by_count_and_never_left_out(path, bands, marks, extra, mode):
    with pytest.raises(
        UnsuitablePicture, match=rf"field\.tif has {bands} bands, of which {extra} would be lost: .*grey or an RGB"
    ) as error:
        read(path, tiff(levels(4, 5, bands), **marks), mode)

    assert "damaged" not in str(error.value)
    assert "cannot be read" not in str(error.value)


@pytest.mark.parametrize("mark", [ASSOCIATED, UNASSOCIATED])
@pytest.mark.parametrize("bands", [2, 4])
def test_a_marked_alpha_channel_is_transparency(path, bands, mark):
    pixels = levels(4, 5, bands)
    pixels[..., -1] = 255
    opaque = tiff(pixels, extra=[mark])
    pixels[0, 0, -1] = 0
    clear = tiff(pixels, extra=[mark])

    assert np.array_equal(read(path, opaque), pixels[..., :-1].transpose(2, 0, 1))
    with pytest.raises(UnsuitablePicture, match=r"transparent pixels.*data\.init_args\.background"):
        read(path, clear)
    assert (read(path, clear, background="white")[:, 0, 0] == 255).all()


def test_pages_are_refused_by_count_unless_the_first_is_asked_for(path):
    pages = [levels(4, 5) + number for number in range(5)]

    with pytest.raises(UnsuitablePicture, match=r"field\.tif has 5 pages.*data\.init_args\.first_frame"):
        read(path, tiff(*pages))
    assert np.array_equal(read(path, tiff(*pages), first_frame=True), pages[0][None])


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize("bands", [1, 3])
def test_more_than_8_bits_are_refused(path, dtype, bands):
    with pytest.raises(UnsuitablePicture, match=r"field\.tif has more than 8 bits.*convert it to 8 bits"):
        read(path, tiff(levels(4, 5, bands, dtype=dtype)))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("bands", [1, 3])
def test_numbers_that_are_no_grey_levels_are_refused(path, dtype, bands):
    with pytest.raises(UnsuitablePicture, match=r"field\.tif holds signed, real or complex numbers.*8 bits"):
        read(path, tiff(levels(4, 5, bands, dtype=dtype)))


def test_inks_are_converted_only_if_asked_and_lab_never(path):
    with pytest.raises(UnsuitablePicture, match=r"field\.tif has 4 channels of ink.*data\.init_args\.mode to rgb"):
        read(path, tiff(levels(4, 5, 4), interpretation=CMYK))
    assert read(path, tiff(levels(4, 5, 4), interpretation=CMYK), "rgb").shape == (3, 4, 5)
    with pytest.raises(UnsuitablePicture, match=r"field\.tif has colours in LAB: convert it to grey or RGB"):
        read(path, tiff(levels(4, 5, 3), interpretation=LAB), "rgb")


def test_a_palette_of_8_bits_is_exact_and_one_of_16_bits_is_refused(path):
    pixels, colours = levels(4, 5), levels(3, 256, dtype=np.uint16)

    for scale in (256, 257):
        whole = (colours * scale).ravel().tolist()
        assert np.array_equal(read(path, tiff(pixels, interpretation=PALETTE, t320=whole)), colours[:, pixels])
    with pytest.raises(UnsuitablePicture, match="more than 8 bits"):
        read(path, tiff(pixels, interpretation=PALETTE, t320=[*whole[:-1], 1000]))


def test_which_side_is_up_is_heeded_once(path):
    pixels = levels(4, 5)

    assert np.array_equal(read(path, tiff(pixels, t274=[6])), np.rot90(pixels, -1)[None])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pages", [1, 2])
def test_a_file_that_is_cut_off_is_never_read_as_less(path, pages):
    content = tiff(*[levels(4, 5, 3)] * pages)

    for size in range(len(content)):
        with pytest.raises(UnsuitablePicture):
            read(path, content[:size])


def test_a_list_of_pages_in_a_circle_ends(path):
    content = bytearray(tiff(levels(4, 5)))
    content[-4:] = content[4:8]

    with pytest.raises(UnsuitablePicture, match="runs in a circle"):
        read(path, bytes(content))


def test_a_tiff_is_known_by_its_content_in_either_byte_order(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(levels(4, 5)).save(buffer, "TIFF", big_tiff=True)

    assert np.array_equal(read(tmp_path / "big.tif", buffer.getvalue()), levels(4, 5)[None])
    with pytest.raises(UnsuitablePicture, match=r"misnamed\.png has 4 bands"):
        read(tmp_path / "misnamed.png", tiff(levels(4, 5, 4)))


def test_a_folder_of_such_files_is_refused_and_not_skipped_as_corrupt(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.tif").write_bytes(tiff(levels(4, 5, 4)))

    with pytest.raises(UnsuitablePicture, match=r"\d\.tif has 4 bands"):
        ImageFolderDataModule(str(tmp_path), skip_corrupt=True).images("train")


def test_a_folder_takes_first_pages_if_asked(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.tif").write_bytes(tiff(levels(4, 5), levels(4, 5)))

    assert ImageFolderDataModule(str(tmp_path), first_frame=True).images("train").shape == (8, 1, 4, 5)
