"""One picture file as 8-bit grey or colour, with nothing lost that was not asked to be."""

import struct
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFile, ImageOps

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

Mode = Literal["grey", "rgb"]
Background = Literal["black", "white"]


class CorruptPicture(ValueError):
    """A file that no picture can be read from."""


def read_picture(path: Path, mode: Mode | None, background: Background | None) -> Image.Image:
    """The first frame of a file, upright, in Pillow's mode L or RGB.

    A palette counts as colour. Colour turns grey by its luma (ITU-R BT.601).

    Args:
        path: The file.
        mode: Colours of the result; None keeps the file's own.
        background: What shows behind transparent pixels; None refuses them.

    Raises:
        CorruptPicture: If the file is no picture or a damaged one.
        ValueError: If it has more than 8 bits a channel, or transparent pixels and no ``background``.
    """
    try:
        with Image.open(path) as file:
            deep = is_deep(file)
            picture = ImageOps.exif_transpose(file)
    except PermissionError:
        raise
    except (OSError, SyntaxError, EOFError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise CorruptPicture(
            f"{path} cannot be read as a picture ({error}): remove it, or set data.init_args.skip_corrupt to true"
        ) from error
    if deep:
        raise ValueError(
            f"{path} has more than 8 bits a channel, which would be cut: convert it to 8 bits, "
            f"or remove it from data.init_args.root"
        )
    grey = mode == "grey" if mode is not None else picture.mode in ("1", "L", "LA", "La")
    return flatten(picture, path, background).convert("L" if grey else "RGB")


def is_deep(picture: ImageFile.ImageFile) -> bool:
    """Whether a file holds more than 8 bits a channel: Pillow cuts some of them without a word."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return True
    return picture.format in ("PNG", "TIFF") and any(";16" in str(tile[3]) for tile in picture.tile)


def flatten(picture: Image.Image, path: Path, background: Background | None) -> Image.Image:
    """The picture without its transparency. An alpha channel that is opaque everywhere is dropped."""
    if not picture.has_transparency_data:
        return picture
    layered = picture.convert("RGBA")
    if background is None and layered.getchannel("A").getextrema() != (255, 255):
        raise ValueError(
            f"{path} has transparent pixels: set data.init_args.background to black or white, which then shows"
        )
    return Image.alpha_composite(Image.new("RGBA", picture.size, background or "black"), layered)


def as_array(picture: Image.Image) -> np.ndarray:
    """Grey levels, [C, H, W], uint8, writable."""
    pixels = np.array(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
