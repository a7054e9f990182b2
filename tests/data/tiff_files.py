"""TIFF files byte by byte, of any bands and pages: Pillow writes few of them."""

import struct

import numpy as np

SHORT, LONG = 3, 4
KINDS = {"u": 1, "i": 2, "f": 3}


def tiff(*pages, interpretation=None, extra=(), **tags):
    """A little-endian TIFF file, not compressed.

    Args:
        pages: Each [H, W] or [H, W, bands].
        interpretation: Grey or RGB by the number of bands unless given.
        extra: What each band beside the colours is.
        tags: Others, SHORT, such as ``t274=[6]``.
    """
    content, link = bytearray(b"II*\0\0\0\0\0"), 4
    for page in pages:
        page = page[..., None] if page.ndim == 2 else page
        height, breadth, bands = page.shape
        entries = {
            256: (LONG, [breadth]),
            257: (LONG, [height]),
            258: (SHORT, [8 * page.dtype.itemsize] * bands),
            259: (SHORT, [1]),
            262: (SHORT, [interpretation or (2 if bands >= 3 else 1)]),
            273: (LONG, [len(content)]),
            277: (SHORT, [bands]),
            278: (LONG, [height]),
            279: (LONG, [page.nbytes]),
            339: (SHORT, [KINDS[page.dtype.kind]] * bands),
            **({338: (SHORT, list(extra))} if extra else {}),
            **{int(name[1:]): (SHORT, value) for name, value in tags.items()},
        }
        content += page.tobytes() + bytes(page.nbytes % 2)
        rows = []
        for tag, (kind, values) in sorted(entries.items()):
            packed = struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'I'}", *values)
            if len(packed) > 4:
                content, packed = content + packed, struct.pack("<I", len(content))
            rows.append(struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0"))
        struct.pack_into("<I", content, link, len(content))
        content += struct.pack("<H", len(rows)) + b"".join(rows)
        link = len(content)
        content += bytes(4)
    return bytes(content)


def levels(*shape, dtype=np.uint8):
    """Random grey levels."""
    return np.random.default_rng(len(shape)).integers(0, 100, shape).astype(dtype)
