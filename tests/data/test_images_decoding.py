"""One picture file as 8-bit grey or colour."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lit_vae.data.images_decoding import CorruptPicture, UnsuitablePicture, as_array, read_picture

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


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "mpo"])
def test_an_animation_is_refused_by_count_unless_its_first_frame_is_asked_for(tmp_path, suffix):
    path = tmp_path / f"moving.{suffix}"
    frames = [Image.new("RGB", (6, 4), color) for color in ("red", "blue", "green")]
    how = {} if suffix == "mpo" else {"lossless": True}
    frames[0].save(path, save_all=True, append_images=frames[1:], **how)

    with pytest.raises(UnsuitablePicture, match=rf"moving\.{suffix} has 3 pages or frames.*init_args\.first_frame"):
        levels(path)
    first = as_array(read_picture(path, None, None, first_frame=True))[:, 0, 0]
    assert np.abs(first.astype(int) - [255, 0, 0]).max() <= 1  # mpo is JPEG


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


def test_a_damaged_file_is_named_with_the_key_that_skips_it(tmp_path):
    path = tmp_path / "good.png"
    Image.fromarray(COLOUR).save(path)
    whole = path.read_bytes()

    for damaged in (b"", b"no picture", whole[:20], whole[:60], whole[:45] + b"\0\0\0\0" + whole[49:]):
        path.write_bytes(damaged)
        with pytest.raises(CorruptPicture, match=r"good\.png cannot be read.*data\.init_args\.skip_corrupt"):
            levels(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif", "tiff", "moving gif", "moving png"])
def test_a_file_that_is_cut_off_is_refused_or_nothing_of_its_picture_is_missing(tmp_path, suffix):
    path = tmp_path / f"cut.{suffix.split()[-1]}"
    more = {"save_all": True, "append_images": [Image.fromarray(COLOUR[::-1])]} if "moving" in suffix else {}
    Image.fromarray(COLOUR).save(path, **more)
    content = path.read_bytes()
    whole = None if more else levels(path)

    for size in range(len(content)):
        path.write_bytes(content[:size])
        try:
            cut = levels(path)
        except UnsuitablePicture:
            continue
        assert np.array_equal(cut, whole), size


def test_a_cameras_note_is_heeded_in_every_kind_of_file_that_has_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    for suffix in ("jpg", "png", "webp", "tiff"):
        path = tmp_path / f"photo.{suffix}"
        Image.fromarray(COLOUR).save(path)
        lying = levels(path)
        Image.fromarray(COLOUR).save(path, exif=exif)

        assert np.array_equal(levels(path), np.rot90(lying, 1, (1, 2))), suffix


def test_inks_of_a_jpeg_are_converted_only_if_asked(tmp_path):
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (6, 4), (10, 20, 30, 40)).save(path)

    with pytest.raises(UnsuitablePicture, match=r"print\.jpg has 4 channels of ink.*data\.init_args\.mode to rgb"):
        levels(path)
    assert levels(path, mode="rgb").shape == (3, 4, 6)


def test_a_palette_with_a_transparent_colour_needs_a_background_in_a_png_too(tmp_path):
    path = tmp_path / "palette.png"
    picture = Image.fromarray(COLOUR).quantize(8)
    picture.save(path, transparency=picture.getpixel((0, 0)))

    with pytest.raises(UnsuitablePicture, match=r"transparent pixels.*data\.init_args\.background"):
        levels(path)
    assert levels(path, background="white")[:, 0, 0].tolist() == [255, 255, 255]
