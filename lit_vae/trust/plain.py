"""Trees of plain values, of a size that can be gone through."""

from __future__ import annotations

from typing import Any

import yaml

MOST_NODES = 100_000
MOST_CHARACTERS = 1 << 22
DEEPEST = 64
LONGEST = 1 << 18
"""Characters of a config; those of the published models have 10,000."""


class NotPlain(ValueError):
    """What is no tree of plain values; the message is the rest of a sentence that begins with its name."""


def plain(node: Any) -> Any:
    """A tree copied: dictionaries with texts as keys, lists, texts, numbers, truth values, None; tuples become lists.

    Raises:
        NotPlain: If it holds something else, itself, or too much.
    """
    left = {"values": MOST_NODES, "characters": MOST_CHARACTERS}

    def copied(node: Any, depth: int) -> Any:
        left["values"] -= 1
        left["characters"] -= len(node) if isinstance(node, str) else 0
        if min(left.values()) < 0 or depth > DEEPEST:
            raise NotPlain(f"holds more than {MOST_NODES:,} values or goes deeper than {DEEPEST} levels")
        if node is None or type(node) in (bool, float, str) or (type(node) is int and abs(node) < 1 << 64):
            return node
        if type(node) in (list, tuple):
            return [copied(child, depth + 1) for child in node]
        if not isinstance(node, dict):
            raise NotPlain(f"holds a {type(node).__name__} where plain values belong")
        for key in node:
            if type(key) is not str or key.startswith("__"):
                raise NotPlain(f"holds the key {str(key)[:40]!r}, which is no setting")
        return {key: copied(child, depth + 1) for key, child in node.items()}

    return copied(node, 0)


def read_yaml(text: str) -> Any:
    """A YAML text without anchors, aliases and tags: nothing in it can grow, or be more than plain values.

    Raises:
        NotPlain: If it has some, is too long or too deep, or no YAML.
    """
    if len(text) > LONGEST:
        raise NotPlain(f"has more than {LONGEST:,} characters")
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise NotPlain("has a YAML anchor or alias")
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise NotPlain(f"has the YAML tag {tag[:80]}")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise NotPlain(f"goes deeper than {DEEPEST} levels")
        return plain(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError, UnicodeError) as error:
        raise NotPlain(f"is not valid YAML: {' '.join(str(error).split())[:200]}") from error
    except ValueError as error:  # of a date that is none
        raise error if isinstance(error, NotPlain) else NotPlain(f"is not valid YAML: {error}") from error
