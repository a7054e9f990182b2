"""Which settings differ between two configs, in words for a person and in keys for a program."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

Changes = Mapping[str, tuple[Any, Any]]
"""Dotted keys, and the value before and after; None on the side that has no such key."""

SHOWN = 60
"""Characters of a value."""


def changes(before: dict[str, Any], after: dict[str, Any]) -> Changes:
    """What differs between two resolved configs.

    A key that only one of them has counts where a class is named, such as another schedule, and not where an argument
    is: the arguments of another class come and go with it, and another version of lit_vae may know more of them.

    Args:
        before: A config.
        after: Another.
    """
    old, new = flatten(before), flatten(after)
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*old, *(key for key in new if key not in old)]:
        in_both = key in old and key in new
        named = key.endswith("class_path") or (key in old and isinstance(dig(after, key), dict))
        if old.get(key) != new.get(key) and (in_both or named):
            found[key] = (old.get(key), new.get(key))
    return found


def lines(found: Changes) -> list[str]:
    """A line on each change: its key, the value before and the value after."""
    return [
        f"{key.replace('.init_args', '')} {shown(before)} -> {shown(after)}" for key, (before, after) in found.items()
    ]


def shown(value: Any) -> str:
    """A value, not too long."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def flatten(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config with dotted keys; classes in a list are keyed by their names.

    Args:
        node: The config.
        prefix: Goes before each key.
    """
    flat: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        elif (
            isinstance(value, list) and value and all(isinstance(item, dict) and "class_path" in item for item in value)
        ):
            flat |= flatten(by_name(value), f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def by_name(classes: list[dict[str, Any]]) -> dict[str, Any]:
    """Classes by their short names; further ones of a name are numbered from 2."""
    seen: Counter[str] = Counter()
    named = {}
    for item in classes:
        name = str(item["class_path"]).rpartition(".")[2]
        seen[name] += 1
        named[name if seen[name] == 1 else f"{name} {seen[name]}"] = item
    return named


def dig(node: Any, dotted: str) -> Any:
    """The value under a dotted key; None where there is none."""
    for key in dotted.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node
