"""Checks of a config before it is parsed, where a better answer can be given than a parser's."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lit_vae.backbones import Backbone
from lit_vae.cli import near
from lit_vae.data import SymbolDataModule
from lit_vae.heads import DecoderHead
from lit_vae.objectives import Objective

SLOTS: dict[str, type] = {
    "model.backbone": Backbone,
    "model.head": DecoderHead,
    "model.objective": Objective,
    "data": SymbolDataModule,
}
"""Where a class is named, and what it must be."""

LINKED = {
    "model.backbone": {"embed_width": "the head", "shape": "the head"},
    "model.head": {"width": "model.backbone.init_args.width", "num_values": "the data", "shape": "the data"},
}
"""Arguments that another part fills, and which."""


def check_file(path: Path) -> None:
    """Check a config file.

    Raises:
        ValueError: If it is no YAML mapping, names an unknown class or key, or sets a linked argument.
    """
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ValueError(f"--config {path} is empty or no mapping of keys to values")
    check(config, f"--config {path}")


def check_flags(words: list[str], config: dict[str, Any]) -> None:
    """Check the flags that set a part of the model or of the data, such as ``--data.root``.

    Args:
        words: The command line.
        config: What the config files say: where a flag names no class, theirs is meant.

    Raises:
        ValueError: As :func:`check_file`.
    """
    for slot in SLOTS:
        node: dict[str, Any] = {"init_args": {}}
        if "class_path" in (dig(config, slot) or {}):
            node["class_path"] = dig(config, slot)["class_path"]
        for flag, value in flags(words):
            if flag in (f"--{slot}", f"--{slot}.class_path") and value:
                node["class_path"] = value
            elif flag.startswith(f"--{slot}.") and not flag.endswith(".help"):
                key = flag.removeprefix(f"--{slot}.").removeprefix("init_args.").partition(".")[0]
                node["init_args"][key] = value
        check({slot: node} if "." not in slot else {"model": {slot.removeprefix("model."): node}}, "the command line")


def flags(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each flag of a command line with its value, empty where it has none."""
    for word, following in zip(words, [*words, ""][1:], strict=True):
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            yield flag, value if equals or following.startswith("--") else following


def check(config: dict[str, Any], where: str) -> None:
    """Check a config, or part of one.

    Args:
        config: What the YAML or the flags say.
        where: Names its source in messages.

    Raises:
        ValueError: As :func:`check_file`.
    """
    for slot, base in SLOTS.items():
        node = dig(config, slot)
        if not isinstance(node, dict):
            continue
        for key in LINKED.get(slot, {}).keys() & (node.get("init_args") or {}).keys():
            raise ValueError(f"{where}: {slot}.init_args.{key} is linked: {LINKED[slot][key]} fills it; leave it out")
        if "class_path" in node:
            check_class(str(node["class_path"]), base, node.get("init_args") or {}, slot, where)


def check_class(class_path: str, base: type, init_args: dict[str, Any], slot: str, where: str) -> None:
    """Check that a class is there, is of the right kind, and takes the arguments.

    Raises:
        ValueError: If not; the message names the near misses.
    """
    found = locate(class_path, base, f"{where}: {slot}.class_path")
    if not issubclass(found, base):
        raise ValueError(f"{where}: {slot}.class_path {class_path} is no {base.__name__}; {known_classes(base)}")
    parameters = inspect.signature(found.__init__).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [name for name in parameters if name != "self" and name not in LINKED.get(slot, {})]
    for key in init_args.keys() - set(known) - LINKED.get(slot, {}).keys():
        raise ValueError(
            f"{where}: {found.__name__} takes no {slot}.init_args.{key}{near(key, known)}; it takes {', '.join(known)}"
        )


def locate(class_path: str, base: type, what: str) -> type:
    """The class that a dotted path or the short name of a known class names.

    Raises:
        ValueError: If there is none.
    """
    module_name, _, name = class_path.rpartition(".")
    if not module_name:
        short = {known.__name__: known for known in concrete(base)}
        if name not in short:
            raise ValueError(f"{what} {class_path} is unknown{near(name, sorted(short))}; {known_classes(base)}")
        return short[name]
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        hint = near(name, [known.__name__ for known in concrete(base)])
        raise ValueError(f"{what} {class_path} can not be imported ({error}){hint}; {known_classes(base)}") from error
    if not isinstance(found, type):
        raise ValueError(f"{what} {class_path} is no class")
    return found


def known_classes(base: type) -> str:
    """The classes of a kind that are known."""
    return f"known: {', '.join(sorted(known.__name__ for known in concrete(base)))}"


def concrete(base: type) -> Iterator[type]:
    """The classes of a kind that can be made."""
    child: type
    for child in base.__subclasses__():
        if not inspect.isabstract(child):
            yield child
        yield from concrete(child)


def dig(config: dict[str, Any], dotted: str) -> Any:
    """The value under a dotted key, None where there is none."""
    node: Any = config
    for key in dotted.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node
