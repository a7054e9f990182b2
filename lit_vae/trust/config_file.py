"""The config in a run directory, which is read where the run holds no checkpoint yet; signed as a checkpoint is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lit_vae.trust.signature import SIGNATURE, sign

MARK = f"# {SIGNATURE} "


def signed(config: str) -> str:
    """A config with the signature of this user's run in a comment at its end; without one where there is no key.

    Args:
        config: YAML.
    """
    content: dict[str, Any] = {"config": config}
    sign(content)
    return config + (f"{MARK}{content[SIGNATURE]}\n" if SIGNATURE in content else "")


def content_of(file: Path) -> dict[str, Any]:
    """The config of a file and its signature, as a checkpoint has them.

    Args:
        file: The config of a run directory.
    """
    text, mark, found = file.read_text(encoding="utf-8").rpartition(MARK)
    return {"config": text, SIGNATURE: found.strip()} if mark else {"config": found}
