"""Signatures: that a run of this very user wrote what a checkpoint says is to be imported and built."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from lit_vae.trust.key import NoKey, key
from lit_vae.trust.plain import NotPlain, plain

SIGNATURE = "signature"
"""Where a checkpoint has its signature: HMAC-SHA256 under the user's key, hexadecimal."""

SIGNED = ("config", "hyper_parameters")
"""What is signed: all that names a class or an argument of one."""

PURPOSE = "lit_vae checkpoint, 1"


def sign(checkpoint: dict[str, Any]) -> str:
    """Sign a checkpoint that this user's run is about to write, where it names something to build.

    Args:
        checkpoint: Its contents, to be changed.

    Returns:
        Why it was not signed; empty where it was, or names nothing.
    """
    checkpoint.pop(SIGNATURE, None)
    if not any(name in checkpoint for name in SIGNED):
        return ""
    try:
        checkpoint[SIGNATURE] = hmac.new(key(), canonical(checkpoint), hashlib.sha256).hexdigest()
    except (NoKey, NotPlain) as error:
        return str(error)
    return ""


def is_own(checkpoint: dict[str, Any]) -> bool:
    """Whether a checkpoint says what a run of this user wrote into it.

    Args:
        checkpoint: Its contents.
    """
    found = checkpoint.get(SIGNATURE)
    if not isinstance(found, str) or not found.isascii():
        return False
    try:
        return hmac.compare_digest(found, hmac.new(key(), canonical(checkpoint), hashlib.sha256).hexdigest())
    except (NoKey, NotPlain):
        return False


def canonical(checkpoint: dict[str, Any]) -> bytes:
    """One text for all that is signed, which no other settings share.

    Raises:
        NotPlain: If it holds more than plain values.
    """
    signed = {name: plain(checkpoint.get(name)) for name in SIGNED}
    return f"{PURPOSE}\n{json.dumps(signed, sort_keys=True)}".encode()
