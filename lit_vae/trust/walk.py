"""Going through what a stranger's checkpoint says, beside what the signatures of the classes say."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from typing import Any

from lightning.pytorch.loggers import Logger

from lit_vae.trust import places
from lit_vae.trust.classes import cure, find, is_path
from lit_vae.trust.given import GIVEN, inside
from lit_vae.trust.kinds import hints_of, kinds_of, only_plain
from lit_vae.trust.plain import NotPlain, read_yaml
from lit_vae.trust.refused import Refused

SPEC = frozenset(("class_path", "init_args", "dict_kwargs"))
WORD = re.compile(r"[\w+:-]*|[-+]?[\d.]+(e[-+]?\d+)?")
"""What stands beside a class in some places: ``auto``, ``16-mixed``, a number."""


class Walk:
    """One pass through settings of a checkpoint.

    Args:
        where: The file, for messages.
        guarded: Names of settings that must not lead out of the run directory.
    """

    def __init__(self, where: str, guarded: frozenset[str] = frozenset()) -> None:
        self.where = where
        self.guarded = guarded

    def arguments(self, settings: Any, hints: dict[str, Any], key: str) -> None:
        """Check the arguments of a class.

        Args:
            settings: What the arguments are set to.
            hints: The type hints of the class.
            key: Where they are.

        Raises:
            Refused: If one of them is not what a stranger may set.
        """
        if not isinstance(settings, dict):
            self.value(settings, None, key)
            return
        if "class_path" in settings:
            raise Refused(self.where, key, "names a class where the arguments of one belong")
        for name, value in settings.items():
            if name in self.guarded:
                places.check_place(name, value, self.where, f"{key}.{name}")
            self.value(value, hints.get(name), f"{key}.{name}")

    def value(self, node: Any, hint: Any, key: str) -> None:
        """Check the value of an argument.

        Args:
            node: The value.
            hint: The type hint of the argument; None where there is none: then no class belongs there.
            key: Where it is.

        Raises:
            Refused: If it, or something in it, is not what a stranger may set.
        """
        if isinstance(node, list):
            for child in node:
                self.value(child, hint, key)
        elif isinstance(node, dict) and "class_path" in node:
            self.spec(node, hint, key)
        elif isinstance(node, dict) and (made := [kind for kind in kinds_of(hint) if is_dataclass(kind)]):
            self.arguments(node, hints_of(made[0]), key)
        elif isinstance(node, dict):
            for name, child in node.items():
                if name in self.guarded:
                    places.check_place(name, child, self.where, f"{key}.{name}")
                self.value(child, hint, f"{key}.{name}")
        elif isinstance(node, str):
            self.text(node, hint, key)

    def spec(self, node: dict[str, Any], hint: Any, key: str) -> None:
        """Check a class with its arguments."""
        named = node["class_path"]
        if not isinstance(named, str) or not set(node) <= SPEC:
            raise Refused(self.where, key, "names a class in a way that is not known")
        kinds = kinds_of(hint)
        found = find(named, kinds, self.where, f"{key}.class_path")
        arguments = node.get("init_args") or {}
        if isinstance(found, type):
            if issubclass(found, Logger):
                given = {**arguments, **(node.get("dict_kwargs") or {})} if isinstance(arguments, dict) else {}
                places.check_logger(found, given, self.where, key)
            self.arguments(arguments, hints_of(found), f"{key}.init_args")
        else:
            self.value(arguments, None, f"{key}.init_args")
        self.arguments(node.get("dict_kwargs") or {}, {}, f"{key}.dict_kwargs")

    def text(self, text: str, hint: Any, key: str) -> None:
        """Check a text: a parser may take it for a class path, a function's path, a file, or YAML."""
        try:
            inner = read_yaml(text)
        except NotPlain as error:
            if "YAML anchor" in str(error) or "YAML tag" in str(error) or "deeper" in str(error):
                raise Refused(self.where, key, str(error)) from error
            inner = text
        if isinstance(inner, dict | list):
            self.value(inner, None, key)
        kinds = kinds_of(hint)
        if is_path(text):
            if kinds:
                find(text, kinds, self.where, key)
            elif not (only_plain(hint) or inside(text, GIVEN.get().modules)):
                raise Refused(self.where, key, f"names {text}, and functions are not taken", cure(text))
        elif kinds and not WORD.fullmatch(text):
            raise Refused(self.where, key, f"is {text[:80]!r} where a class belongs")
