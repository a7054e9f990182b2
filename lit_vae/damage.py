"""Whether a file is still what was written: checksums, verified before anything of the file is used."""

from __future__ import annotations

import errno
import pickle
import struct
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

CHUNK = 1 << 20
"""Bytes read at a time."""


class Damaged(ValueError):
    """A file that is not what was written. The message says what shows it, without the file's name."""


def reason(error: Exception) -> str:
    """Why a file that torch wrote cannot be read, a few words.

    torch's own words advise to load pickles, which run what they hold.
    """
    if isinstance(error, pickle.UnpicklingError):
        return "it asks for more than tensors and plain values"
    return next(iter(str(error).splitlines()), type(error).__name__)


def is_archive(path: str | Path) -> bool:
    """Whether a file is, or was before it was damaged, a zip archive."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def refuse_damaged(path: str | Path) -> None:
    """Verify the checksums of a file that torch wrote, once for each process as long as the file stays as it is.

    torch itself reads such a file, a zip archive, without looking at its checksums.

    Raises:
        Damaged: If the file is no zip archive, is cut off, or differs from its checksums.
        OSError: If it cannot be read.
    """
    status = Path(path).stat()
    _verify(str(path), (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(maxsize=64)
def _verify(path: str, _: tuple[int, ...]) -> None:
    try:
        with Path(path).open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise Damaged("it is no zip archive, or its end is missing")
        with zipfile.ZipFile(path) as archive:
            verify_archive(archive)
    # zipfile raises these over files whose headers are nonsense
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError) as error:
        raise error if isinstance(error, Damaged) else Damaged(str(error) or "its end is missing") from error
    except (struct.error, OverflowError, MemoryError, zlib.error) as error:
        raise Damaged(str(error)) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a place before the file's first byte
            raise
        raise Damaged("it points outside of itself") from error


def verify_archive(archive: zipfile.ZipFile) -> None:
    """Read an archive of uncompressed files and compare each with its checksum.

    Where all checksums are 0, none was computed, as ``torch.utils.serialization.config.save.compute_crc32`` allows.

    Raises:
        Damaged: If one differs, two files have one name or one place, or one is compressed, which torch writes none.
        zipfile.BadZipFile, EOFError: If the archive cannot be read.
    """
    members = archive.infolist()
    if len({member.filename for member in members}) < len(members):
        raise Damaged("two of its parts have one name")
    if any(
        (member.compress_type, member.compress_size) != (zipfile.ZIP_STORED, member.file_size) for member in members
    ):
        raise Damaged("a part of it is compressed, which torch writes none")
    if sum(member.file_size for member in members) > Path(str(archive.filename)).stat().st_size:
        raise Damaged("its parts are larger together than the file")
    if not any(member.CRC for member in members if member.file_size):
        for member in members:
            member.CRC = None  # type: ignore[assignment]
    for member in members:
        read = 0
        with archive.open(member) as content:
            while chunk := content.read(CHUNK):
                read += len(chunk)
        if read != member.file_size:
            raise Damaged(f"{member.filename} is cut off")


def checksum(path: Path) -> int:
    """CRC32 of a file."""
    found = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found = zlib.crc32(chunk, found)
    return found
