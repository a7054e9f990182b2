"""Checks of a config before it is parsed, where a better answer can be given than a parser's."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from lit_vae.backbones import Backbone
from lit_vae.cli import near
from lit_vae.cli.words import flags
from lit_vae.data import SymbolDataModule
from lit_vae.heads import DecoderHead
from lit_vae.objectives import Objective
from lit_vae.regularizers import Regularizer

Config = dict[str, Any]

SLOTS: dict[str, type | None] = {
    "model.backbone": Backbone,
    "model.head": DecoderHead,
    "model.objective": Objective,
    "model.optimizer": None,
    "model.scheduler": None,
    "model.regularizers": Regularizer,
    "data": SymbolDataModule,
    "trainer.callbacks": None,
    "trainer.logger": None,
}
"""Where a class is named, and what it must be where that is ours to say; for their arguments, signatures say it."""

SECTIONS = ("model", "trainer", "examples", "collapse", "checkpoint", "last")
"""Keys under which there are others."""

NUMBER = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?")
"""A value that some arguments take instead of a class, such as ``kl_weight``."""

LINKED = {
    "model.backbone": {"embed_width": "the head", "shape": "the head"},
    "model.head": {"width": "model.backbone.init_args.width", "num_values": "the data", "shape": "the data"},
    "model.optimizer": {"params": "the model"},
    "model.scheduler": {"optimizer": "model.optimizer"},
}
"""Arguments that another part fills, and which."""


def read(path: Path) -> Config:
    """A config file.

    Raises:
        ValueError: If it is no YAML mapping.
    """
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ValueError(f"--config {path} is empty or no mapping of keys to values")
    return config


def overlay(config: Config, changes: Config) -> Config:
    """A config with changes on top; arguments of a class go when another class is named."""
    if changes.get("class_path", config.get("class_path")) != config.get("class_path"):
        return changes
    merged = config | changes
    for key in config.keys() & changes.keys():
        if isinstance(config[key], dict) and isinstance(changes[key], dict):
            merged[key] = overlay(config[key], changes[key])
    return merged


def own(words: list[str], files: list[Path]) -> Config:
    """What the user's own config files and flags say.

    Args:
        words: The command line.
        files: The config files, in order.
    """
    config: Config = {}
    for file in files:
        config = overlay(config, read(file))
    return overlay(config, of_flags(words, config))


def of_flags(words: list[str], config: Config) -> Config:
    """What flags such as ``--data.root`` say, as a config.

    Args:
        words: The command line.
        config: What it changes: says where a class is, whose ``init_args`` a flag may leave out.
    """
    changes: Config = {}
    for flag, value in flags(words):
        path: list[str] = []
        for key in flag.lstrip("-").split("."):
            if names_class(path, config) and key not in ("class_path", "init_args"):
                path.append("init_args")
            path.append(key)
        if path[-1] != "help":
            plain = not names_class(path, config) or NUMBER.fullmatch(value)
            changes = overlay(changes, nested(path, value if plain else named_in(value)))
    return changes


def named_in(value: str) -> Any:
    """What a flag says where a class is named: a class path, or YAML in which there are some."""
    if not value.startswith(("{", "[")):
        return {"class_path": value}
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value  # the parser's to refuse


def nested(path: list[str], value: Any) -> Config:
    """A config with one value, under a path of keys."""
    for key in reversed(path):
        value = {key: value}
    return value


def names_class(path: list[str], config: Config) -> bool:
    """Whether a class is named under a path of keys."""
    node = dig(config, path)
    return ".".join(path) in SLOTS or (isinstance(node, dict) and "class_path" in node)


def check_flags(words: list[str], config: Config) -> None:
    """Check the flags that change a config.

    Args:
        words: The command line.
        config: What they change.

    Raises:
        ValueError: As :func:`check`.
    """
    check(overlay(config, of_flags(words, config)), "the command line")


def check(node: Any, where: str, key: str = "", base: type | None = None) -> None:
    """Check a config, or the part of one under a key.

    Args:
        node: The config.
        where: Names its source in messages: ``--config FILE`` or ``the command line``.
        key: Dotted; empty for a whole config.
        base: What a class that is named there must be; None where that is not known.

    Raises:
        ValueError: If it names a class or an argument of one that is unknown, sets a linked argument, or has a plain
            value where keys belong.
    """
    base = SLOTS.get(key) or base
    if isinstance(node, list):
        for item in node:
            check(item, where, key, base)
    elif isinstance(node, dict):
        found = locate(str(node["class_path"]), key, where, base) if "class_path" in node else None
        for name, child in node.items():
            if name != "init_args" or not isinstance(child, dict):
                check(child, where, f"{key}.{name}".lstrip("."))
        arguments = node.get("init_args") or {}
        if not isinstance(arguments, dict):
            return
        for name in LINKED.get(key, {}).keys() & arguments.keys():
            raise ValueError(f"{where}: {key}.init_args.{name} is linked: {LINKED[key][name]} fills it; leave it out")
        check_arguments(found, arguments, key, where)
        kinds = kinds_of(found)
        for name, child in arguments.items():
            check(child, where, f"{key}.init_args.{name}", kinds.get(name))
    elif key in SECTIONS or key.endswith(".init_args"):
        raise ValueError(f"{where}: under {key} belong keys and values, got {node!r}")
    elif isinstance(node, str) and base is not None and not NUMBER.fullmatch(node):
        locate(node, key, where, base)


def kinds_of(found: Any) -> Mapping[str, type]:
    """Arguments of a class that take an object of one of our classes, and of which."""
    if not isinstance(found, type):
        return {}
    try:
        hints = get_type_hints(found.__init__)  # type: ignore[misc] # this very class is made
    except NameError:  # names that only a type checker imports
        return {}
    kinds = {
        name: [each for each in kinds_in(hint) if each.__module__.startswith("lit_vae.")]
        for name, hint in hints.items()
    }
    return {name: some[0] for name, some in kinds.items() if len(some) == 1}


def kinds_in(hint: Any) -> Iterator[type]:
    """The classes that a hint names: ``ELBO | None``, ``list[ELBO]``."""
    if isinstance(hint, type) and not get_args(hint):
        yield hint
    for inner in get_args(hint):
        yield from kinds_in(inner)


def check_arguments(found: Any, arguments: Config, key: str, where: str) -> None:
    """Check that a class takes the arguments, where its signature tells.

    Raises:
        ValueError: If not; the message names the near misses.
    """
    parameters = inspect.signature(found).parameters if isinstance(found, type) else {}
    if not parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [name for name in parameters if name not in LINKED.get(key, {})]
    for name in arguments.keys() - set(known):
        raise ValueError(
            f"{where}: {found.__name__} takes no {key}.init_args.{name}{near(name, known)}; it takes {', '.join(known)}"
        )


def locate(class_path: str, key: str, where: str, base: type | None) -> Any:
    """What a dotted path or the short name of a known class names; None for a short name that the parser may know.

    Args:
        class_path: The path or name.
        key: Where it is named.
        where: The source, in messages.
        base: What it must be; None where that is not known.

    Raises:
        ValueError: If it names nothing, or no class of the kind that belongs there.
    """
    known = {} if base is None else {found.__name__: found for found in concrete(base)}
    what, listing = f"{where}: {key}.class_path {class_path}", f"; known: {', '.join(sorted(known))}" if known else ""
    module_name, _, name = class_path.rpartition(".")
    if not module_name:
        if base is not None and name not in known:
            raise ValueError(f"{what} is unknown{near(name, sorted(known))}{listing}")
        return known.get(name)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"{what} can not be imported ({error}){near(name, sorted(known))}{listing}") from error
    if not hasattr(module, name):
        public = [other for other in vars(module) if not other.startswith("_")]
        raise ValueError(f"{what}: {module_name} has no {name}{near(name, sorted(known) or public)}{listing}")
    found = getattr(module, name)
    if base is not None and not makes(found, base):
        raise ValueError(f"{what} is no {base.__name__} that can be made{listing}")
    return found


def makes(found: Any, base: type) -> bool:
    """Whether a class can be made and is of a kind; what a function makes only the parser can tell."""
    return issubclass(found, base) and not inspect.isabstract(found) if isinstance(found, type) else callable(found)


def concrete(base: type) -> Iterator[type]:
    """The classes of a kind that can be made."""
    if not inspect.isabstract(base):
        yield base
    child: type
    for child in base.__subclasses__():
        yield from concrete(child)


def dig(config: Config, path: list[str]) -> Any:
    """The value under a path of keys, None where there is none."""
    node: Any = config
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node
