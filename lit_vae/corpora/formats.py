"""Files that hold something other than plain text, told by their names and first bytes."""

from __future__ import annotations

from pathlib import Path

ROWS = "lit_vae.data.HuggingFaceTextDataModule (--data)"
BY_NAME = {
    ".jsonl": ("JSON lines", f"a field of them is read by {ROWS}"),
    ".json": ("JSON", f"a field of its rows is read by {ROWS}"),
    ".csv": ("CSV", f"a column of it is read by {ROWS}"),
    ".tsv": ("tab-separated values", f"save it as .csv, a column of which is read by {ROWS}"),
}
"""What files hold whose text is in their rows; their lines could be taken for texts."""

FIRST_BYTES = {
    b"\x1f\x8b": ("is compressed with gzip", "unpack it (gunzip --keep)"),
    **dict.fromkeys(
        (b"BZh%d1AY&SY" % level for level in range(1, 10)),
        ("is compressed with bzip2", "unpack it (bunzip2 --keep)"),
    ),
    b"\xfd7zXZ\0": ("is compressed with xz", "unpack it (unxz --keep)"),
    b"\x28\xb5\x2f\xfd": ("is compressed with zstd", "unpack it (unzstd)"),
    b"\x04\x22\x4d\x18": ("is compressed with lz4", "unpack it (unlz4)"),
    b"PK\x03\x04": ("is a ZIP archive", "unpack it (unzip)"),
    b"7z\xbc\xaf\x27\x1c": ("is a 7z archive", "unpack it (7z x)"),
    b"%PDF-": ("is a PDF", "take its text out (pdftotext)"),
    b"\xff\xfe\0\0": ("is UTF-32", "convert it (iconv -f utf-32 -t utf-8)"),
    b"\0\0\xfe\xff": ("is UTF-32", "convert it (iconv -f utf-32 -t utf-8)"),
    b"\xff\xfe": ("is UTF-16", "convert it (iconv -f utf-16 -t utf-8)"),
    b"\xfe\xff": ("is UTF-16", "convert it (iconv -f utf-16 -t utf-8)"),
    b"PAR1\x15": ("holds Parquet", f"a column of it is read by {ROWS}"),
    b"ARROW1\0\0": ("holds an Arrow table", f"the folder that save_to_disk wrote is read by {ROWS}"),
    b"SQLite format 3\0": ("is an SQLite database", "write its texts to a file"),
    **dict.fromkeys(
        (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"),
        ("is a picture", "a folder of pictures is read by lit_vae.data.ImageFolderDataModule (--data)"),
    ),
}
"""How files begin, what such a file is, and what to do; the first that fits counts."""
TAR = slice(257, 262)
"""Where a tar archive says that it is one."""


def other_format(path: Path) -> str | None:
    """What a file is that is no plain text, and what to do with it, a sentence; None for what may be plain text.

    Args:
        path: A file.
    """
    with path.open("rb") as file:
        first = file.read(TAR.stop)
    if first[TAR] == b"ustar":
        return sentence(path, "is a tar archive", "unpack it (tar -xf)")
    for beginning, (what, cure) in FIRST_BYTES.items():
        if first.startswith(beginning):
            return sentence(path, what, cure)
    if path.suffix.lower() in BY_NAME:
        what, cure = BY_NAME[path.suffix.lower()]
        return sentence(path, f"holds {what}", f"{cure}; if the text is its lines as they stand, rename it to .txt")
    return None


def sentence(path: Path, what: str, cure: str) -> str:
    """What a file is, and what to do about it."""
    return f"{path} {what}, plain text was expected: {cure}; or change data.init_args.root (--data.root)"
