"""Finding the class that a stranger names, without importing anything that he names."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from lit_vae.trust.given import GIVEN, inside
from lit_vae.trust.kinds import PACKAGES
from lit_vae.trust.refused import Refused

HOMES = (
    "lightning.pytorch",
    "lightning.pytorch.cli",
    "torch.optim.swa_utils",
    "lit_vae.backbones",
    "lit_vae.callbacks",
    "lit_vae.data",
    "lit_vae.heads",
    "lit_vae.objectives",
    "lit_vae.pretrained",
    "lit_vae.regularizers",
    "lit_vae.schedules",
    "lit_vae.tokenizers",
    "lit_vae.vae",
)
"""Imported in any case; what they do not import has no class that belongs in a config."""


def is_path(text: str) -> bool:
    """Whether a text is a dotted path."""
    parts = text.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def find(class_path: str, kinds: set[type], where: str, key: str) -> Any:
    """What a class path names; None where the user trusts its module, which is not there.

    Args:
        class_path: The dotted path, or the name alone of a class of one of the kinds.
        kinds: What belongs at the key.
        where: The file, for messages.
        key: Where the class is named.

    Raises:
        Refused: If that is no class of a trusted module and of a kind that belongs there.
    """
    for home in HOMES:
        importlib.import_module(home)
    trusted = GIVEN.get().modules
    if inside(class_path, trusted):
        return imported(class_path)
    what = f"names {shortened(class_path)}"
    if is_path(class_path):
        if not inside(class_path, PACKAGES):
            outside = f"{what}, which is not of lit_vae, torch.optim, torch.nn or lightning"
            raise Refused(where, key, outside, cure(class_path))
        module, _, name = class_path.rpartition(".")
        found = getattr(sys.modules.get(module), name, None)
    else:
        named = {each for kind in kinds for each in below(kind) if each.__name__ == class_path}
        found = next(iter(named)) if len(named) == 1 else None
    if not isinstance(found, type):
        raise Refused(where, key, f"{what}, which is no class that is known")
    if not inside(found.__module__, (*PACKAGES, *trusted)):
        raise Refused(where, key, f"{what}, which is of {found.__module__}", cure(found.__module__))
    if not any(issubclass(found, kind) for kind in kinds):
        expected = " or ".join(sorted(kind.__name__ for kind in kinds)) or "plain values"
        raise Refused(where, key, f"{what}, which does not belong there ({expected})")
    return found


def imported(path: str) -> Any:
    """What a path into a module that the user trusts names; None where there is no such."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name, None) if module else None
    except ImportError:
        return None  # said, with near misses, by the checks that an own config goes through as well


def below(kind: type) -> set[type]:
    """A class and all that derive from it."""
    children: list[type] = kind.__subclasses__()
    return {kind}.union(*map(below, children))


def cure(path: str) -> str:
    """How to allow a module, where a user may want that."""
    package = path.partition(".")[0]
    if package in sys.stdlib_module_names or package in ("torch", "lightning", "jsonargparse"):
        return ""
    return f"If you know that module and trust it, add --trust {package} (in Python: trust=[{package!r}])"


def shortened(text: str) -> str:
    """The start of a text."""
    return text if len(text) <= 80 else f"{text[:77]}..."
