"""One picture file as 8-bit grey or colour, with nothing lost that was not asked to be."""

import struct
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from lit_vae.data.images_tiff import Tiff, describe

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

Mode = Literal["grey", "rgb"]
Background = Literal["black", "white"]

GREY = ("1", "L", "LA", "La")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "YCbCr")
INKS = "CMYK"
DAMAGE = (
    OSError,
    SyntaxError,
    EOFError,
    ValueError,
    LookupError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What decoders raise over a damaged file."""


class UnsuitablePicture(ValueError):
    """A file whose picture cannot be read, or not without losing some of it.

    Args:
        fault: The file, and what is wrong with it.
        cure: What to do with the file.
        setting: Of ``data.init_args``, and its value: reads the file all the same. Empty for none.
    """

    def __init__(self, fault: str, cure: str, setting: str = "") -> None:
        otherwise = f"set data.init_args.{setting}" if setting else "remove it from data.init_args.root"
        super().__init__(f"{fault}: {cure}, or {otherwise}")
        self.fault = fault
        self.cure = cure


class CorruptPicture(UnsuitablePicture):
    """A file that no picture can be read from."""


def read_picture(
    path: Path, mode: Mode | None, background: Background | None, first_frame: bool = False
) -> Image.Image:
    """The picture of a file, upright, in Pillow's mode L or RGB.

    A palette counts as colour. Colour turns grey by its luma (ITU-R BT.601).

    Args:
        path: The file.
        mode: Colours of the result; None keeps the file's own.
        background: What shows behind transparent pixels; None refuses them.
        first_frame: Of an animation or a file of several pages, take the first, instead of refusing.

    Raises:
        CorruptPicture: If the file is no picture or a damaged one.
        UnsuitablePicture: If something of it would be lost: bands, pages or frames, more than 8 bits a channel,
            transparency without a ``background``, or inks without a ``mode``.
    """
    try:
        tiff = describe(path)
        if tiff is not None:
            refuse_part(path, tiff)
        # not by name: Pillow maps named files into memory, and then scrambles a TIFF that lies on its side
        with path.open("rb") as content, Image.open(content) as file:
            refuse_unended(path, file)
            refuse_altered(path, file)
            refuse_bomb(path, file)
            deep, frames = is_deep(file), getattr(file, "n_frames", 1) if tiff is None else tiff.pages
            picture = ImageOps.exif_transpose(file)
    except (PermissionError, UnsuitablePicture):
        raise
    except DAMAGE as error:
        reason = "it is of no known kind" if isinstance(error, UnidentifiedImageError) else error
        raise CorruptPicture(
            f"{path} cannot be read as a picture ({reason})", "replace it", "skip_corrupt to true"
        ) from error
    if deep:
        raise too_deep(path)
    if frames > 1 and not first_frame:
        raise UnsuitablePicture(
            f"{path} has {frames} pages or frames, of which one would be read",
            "save the one that is meant as a file of its own",
            "first_frame to true to take the first",
        )
    if picture.mode == INKS and mode is None:
        raise UnsuitablePicture(
            f"{path} has 4 channels of ink (CMYK)", "convert it to RGB", "mode to rgb, which converts without a profile"
        )
    if picture.mode not in (*GREY, *COLOUR, INKS):
        raise UnsuitablePicture(f"{path} has colours in {picture.mode}", "convert it to grey or RGB")
    grey = mode == "grey" if mode is not None else picture.mode in GREY
    return flatten(picture, path, background).convert("L" if grey else "RGB")


def refuse_unended(path: Path, picture: ImageFile.ImageFile) -> None:
    """Refuse a GIF that was cut off: Pillow takes the frames before the cut for all.

    Raises:
        EOFError: If it was.
    """
    if picture.format == "GIF" and not path.read_bytes().rstrip(b"\0").endswith(b";"):
        raise EOFError("it was cut off: its end is missing")


def refuse_altered(path: Path, picture: ImageFile.ImageFile) -> None:
    """Refuse a PNG that differs from its checksums: Pillow does not look at those of the pixels.

    Raises:
        ValueError: If it does.
    """
    if picture.format != "PNG":
        return
    content, at, kind = memoryview(path.read_bytes()), 8, b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", content, at)
        kind = bytes(content[at + 4 : at + 8])
        (crc,) = struct.unpack_from(">I", content, at + 8 + length)
        if crc32(content[at + 4 : at + 8 + length]) != crc:
            raise ValueError(f"its part {kind.decode('latin1')} differs from its checksum")
        at += 12 + length


def refuse_bomb(path: Path, picture: ImageFile.ImageFile) -> None:
    """Refuse a picture so large that it may be made to fill the memory: Pillow warns, and goes on up to twice that.

    Raises:
        UnsuitablePicture: If it is one.
    """
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and picture.width * picture.height > most:
        raise UnsuitablePicture(
            f"{path} has {picture.width} by {picture.height} pixels, more than Pillow trusts a file with ({most:,})",
            "make it smaller",
        )


def refuse_part(path: Path, tiff: Tiff) -> None:
    """Refuse a TIFF file of whose first picture Pillow would read a part, or read numbers as others.

    Raises:
        UnsuitablePicture: If it is one.
    """
    if tiff.extra:
        raise UnsuitablePicture(
            f"{path} has {tiff.bands} bands, of which {tiff.extra} would be lost",
            "save the bands that are meant as a grey or an RGB picture",
        )
    if not tiff.unsigned:
        raise UnsuitablePicture(
            f"{path} holds signed, real or complex numbers", "convert them to grey levels from 0 to 255 in 8 bits"
        )
    if tiff.bits > 8:
        raise too_deep(path)


def too_deep(path: Path) -> UnsuitablePicture:
    """The error of a file with more than 8 bits."""
    return UnsuitablePicture(f"{path} has more than 8 bits a channel, which would be cut", "convert it to 8 bits")


def is_deep(picture: ImageFile.ImageFile) -> bool:
    """Whether a file holds more than 8 bits a channel: Pillow cuts some of them without a word."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return True
    return picture.format == "PNG" and any(";16" in str(tile[3]) for tile in picture.tile)


def flatten(picture: Image.Image, path: Path, background: Background | None) -> Image.Image:
    """The picture without its transparency. An alpha channel that is opaque everywhere is dropped."""
    if not picture.has_transparency_data:
        return picture
    layered = picture.convert("LA" if picture.mode == "La" else picture.mode).convert("RGBA")
    if background is None and layered.getchannel("A").getextrema() != (255, 255):
        raise UnsuitablePicture(
            f"{path} has transparent pixels", "fill them", "background to black or white, which then shows"
        )
    return Image.alpha_composite(Image.new("RGBA", picture.size, background or "black"), layered)


def as_array(picture: Image.Image) -> np.ndarray:
    """Grey levels, [C, H, W], uint8, writable."""
    pixels = np.array(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
