"""The user's key, which signs what the user's own runs write: 32 random bytes that leave the machine with nothing."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

LENGTH = 32


class NoKey(Exception):
    """There is no key, and none can be made; the message says why."""


def key_file() -> Path:
    """Where the key lies: ``lit_vae/signing_key`` in ``$XDG_CONFIG_HOME``, which is ``~/.config``.

    Raises:
        NoKey: If nobody is at home.
    """
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if given.is_absolute():  # others are to be ignored, by https://specifications.freedesktop.org/basedir-spec
        return given / "lit_vae" / "signing_key"
    try:
        return Path.home() / ".config" / "lit_vae" / "signing_key"
    except RuntimeError as error:
        raise NoKey("there is no home directory; set XDG_CONFIG_HOME") from error


def key() -> bytes:
    """The user's key, made where there is none; of several processes that make it at once, one does.

    Raises:
        NoKey: If it is not there and cannot be made, or others can read or change it.
    """
    file = key_file()
    try:
        return read(file)
    except FileNotFoundError:
        try:
            make(file)
            return read(file)
        except OSError as error:
            raise NoKey(f"{file} can not be made: {error.strerror}") from error
    except OSError as error:
        raise NoKey(f"{file} can not be read: {error.strerror}") from error


def read(file: Path) -> bytes:
    """The key in a file.

    Raises:
        NoKey: If it is no key, or not the user's alone.
        OSError: If it cannot be read.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise NoKey(f"{file} must be a file of yours that nobody else can read: chown it, chmod 600 {file}")
        content = opened.read(LENGTH + 1)
    if len(content) != LENGTH:
        raise NoKey(f"{file} is damaged: delete it, and a new one is made; runs signed with it are as unsigned ones")
    return content


def make(file: Path) -> None:
    """Write a new key, unless another process has written one by then.

    Raises:
        OSError: If it cannot be written.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(LENGTH))
            opened.flush()
            os.fsync(descriptor)
        os.link(unfinished, file)  # whole or not at all, and never in the place of another
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
