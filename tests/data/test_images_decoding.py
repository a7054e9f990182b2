"""One picture file as 8-bit grey or colour."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lit_vae.data.images_decoding import CorruptPicture, as_array, read_picture

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
COLOUR = np.random.default_rng(0).integers(256, size=(4, 6, 3), dtype=np.uint8)


def levels(path, mode=None, background=None):
    return as_array(read_picture(path, mode, background))


def deep_png(color_type, channels):
    """A PNG of 16 bits a channel, which Pillow does not write in colour."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(range(2 * 2 * channels)) for _ in range(2))
    header = struct.pack(">IIBBBBB", 2, 2, 16, color_type, 0, 0, 0)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_colours_of_a_lossless_file_come_as_they_are(tmp_path, suffix):
    path = tmp_path / f"colour.{suffix}"
    Image.fromarray(COLOUR).save(path, lossless=True)

    assert np.array_equal(levels(path), COLOUR.transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "gif"])
def test_grey_levels_of_a_lossless_file_come_as_they_are(tmp_path, suffix):
    path = tmp_path / f"grey.{suffix}"
    Image.fromarray(GREY).save(path)

    assert np.array_equal(levels(path, mode="grey"), GREY[None])


def test_a_jpeg_is_read_as_pillow_decodes_it(tmp_path):
    path = tmp_path / "colour.jpg"
    Image.fromarray(COLOUR).save(path)

    assert np.array_equal(levels(path), np.asarray(Image.open(path)).transpose(2, 0, 1))


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    path = tmp_path / "moving.gif"
    frames = [Image.new("RGB", (6, 4), color) for color in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])

    assert levels(path)[:, 0, 0].tolist() == [255, 0, 0]


def test_black_and_white_is_0_and_255(tmp_path):
    path = tmp_path / "bits.png"
    Image.fromarray(GREY > 100).save(path)

    assert np.array_equal(levels(path), np.where(GREY > 100, 255, 0)[None])


def test_grey_in_colour_is_three_times_itself_and_back(tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(GREY).save(path)
    Image.fromarray(np.repeat(GREY[..., None], 3, 2)).save(tmp_path / "colour.png")

    assert np.array_equal(levels(path, mode="rgb"), np.stack([GREY] * 3))
    assert np.array_equal(levels(tmp_path / "colour.png", mode="grey"), GREY[None])


def test_a_palette_counts_as_colour(tmp_path):
    path = tmp_path / "palette.png"
    Image.fromarray(np.repeat(GREY[..., None], 3, 2)).convert("P", palette=Image.Palette.ADAPTIVE).save(path)

    assert levels(path).shape == (3, 4, 6)


def test_a_cameras_note_of_which_side_is_up_is_heeded(tmp_path):
    path, exif = tmp_path / "photo.png", Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY).save(path, exif=exif)

    assert np.array_equal(levels(path), np.rot90(GREY, -1)[None])


@pytest.mark.parametrize("pixels", [GREY[..., None], COLOUR], ids=["grey", "colour"])
def test_an_alpha_channel_that_is_opaque_is_dropped(tmp_path, pixels):
    path = tmp_path / "opaque.png"
    Image.fromarray(np.concatenate([pixels, np.full((4, 6, 1), 255, np.uint8)], 2)).save(path)

    assert np.array_equal(levels(path), pixels.transpose(2, 0, 1))


def test_transparent_pixels_are_refused_unless_a_background_shows(tmp_path):
    path, alpha = tmp_path / "clear.png", np.full((4, 6, 1), 255, np.uint8)
    alpha[:, :2] = 0
    Image.fromarray(np.concatenate([COLOUR, alpha], 2)).save(path)

    with pytest.raises(ValueError, match=r"clear\.png has transparent pixels.*data\.init_args\.background"):
        levels(path)
    for background, level in {"black": 0, "white": 255}.items():
        shown = levels(path, background=background)
        assert (shown[:, :, :2] == level).all()
        assert np.array_equal(shown[:, :, 2:], COLOUR.transpose(2, 0, 1)[:, :, 2:])


def test_a_transparent_colour_of_a_palette_is_refused(tmp_path):
    path = tmp_path / "clear.gif"
    Image.fromarray(GREY).save(path, transparency=int(GREY[0, 0]))

    with pytest.raises(ValueError, match="transparent pixels"):
        levels(path)


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_of_a_png_are_refused_not_cut(tmp_path, color_type, channels):
    path = tmp_path / "deep.png"
    path.write_bytes(deep_png(color_type, channels))

    with pytest.raises(ValueError, match=r"deep\.png has more than 8 bits a channel.*data\.init_args\.root"):
        levels(path)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_numbers_beyond_8_bits_of_a_tiff_are_refused_not_cut(tmp_path, dtype):
    path = tmp_path / "deep.tiff"
    Image.fromarray(GREY.astype(dtype)).save(path)

    with pytest.raises(ValueError, match=r"deep\.tiff has more than 8 bits a channel"):
        levels(path)


def test_a_damaged_file_is_named_with_the_key_that_skips_it(tmp_path):
    path = tmp_path / "good.png"
    Image.fromarray(COLOUR).save(path)
    whole = path.read_bytes()

    for damaged in (b"", b"no picture", whole[:20], whole[:60], whole[:45] + b"\0\0\0\0" + whole[49:]):
        path.write_bytes(damaged)
        with pytest.raises(CorruptPicture, match=r"good\.png cannot be read.*data\.init_args\.skip_corrupt"):
            levels(path)
