"""A verb that is a function: its flags are the function's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from lit_vae import checkpoints
from lit_vae.cli import preflight
from lit_vae.cli.parsing import parse
from lit_vae.cli.quiet import quieten
from lit_vae.cli.words import take
from lit_vae.commands import command
from lit_vae.data import SymbolDataModule
from lit_vae.trust.given import trusting
from lit_vae.trust.guard import guarded

SWITCHES = {
    "overwrite": "Replace an existing file.",
    "json": "Print for a machine: one JSON object.",
}
"""Flags without a value, and their help."""


def call(
    verb: str,
    function: Callable[..., None],
    words: list[str],
    data: dict[str, Any] | None = None,
    renamed: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Parse the words after a verb into the arguments of its function, and call it.

    Args:
        verb: The verb.
        function: Its arguments are the verb's flags, those of :data:`SWITCHES` without a value.
        words: What the user said.
        data: The data module, class path and arguments, that the flags ``--data`` change.
        renamed: Arguments, texts or None, whose flags are called otherwise, as Python has a word of its own there: the
            flag and its help.
    """
    quieten()
    what, _, _ = (inspect.getdoc(function) or "").partition("\n\nArgs:")
    parser = ArgumentParser(prog=command(verb), exit_on_error=False, allow_abbrev=False, description=what)
    renamed = renamed or {}
    parser.add_function_arguments(function, skip={"data", *SWITCHES, *renamed})
    for name, (flag, line) in renamed.items():
        parser.add_argument(flag, dest=name, type=str | None, default=None, help=line)
    for name, line in SWITCHES.items():
        parser.add_argument(f"--{name}", action="store_true", help=line)
    if data is not None:
        parser.add_subclass_arguments(SymbolDataModule, "data", required=True)
        parser.set_defaults(data=data)
        preflight.check_flags(words, {"data": data})
    else:
        config_of(words)
    checkpoint = checkpoint_of(words)
    with trusting(config=preflight.own(words, [])), guarded(checkpoints.read(checkpoint) if checkpoint else None):
        parsed = parser.instantiate(parse(parser, words))
    function(**parsed.as_dict())


def config_of(words: list[str]) -> dict[str, Any]:
    """The config of the run that the words name, empty where they name none or it was built in Python.

    Raises:
        ValueError: If it is of another version, with other settings.
    """
    checkpoint = checkpoint_of(words)
    with trusting(config=preflight.own(words, [])):
        text = checkpoints.config(checkpoint) if checkpoint else None
    config: dict[str, Any] = yaml.safe_load(text) if text else {}
    preflight.check(config, f"--ckpt_path {checkpoint}" if checkpoint else "")
    return config


def checkpoint_of(words: list[str]) -> Path | None:
    """The checkpoint that the words name, the best of a run; None where they name none."""
    _, ckpt_paths = take(words, "--ckpt_path")
    return checkpoints.find(ckpt_paths[-1], "best") if ckpt_paths else None


def data_of(words: list[str]) -> dict[str, Any] | None:
    """The data module of the run that the words name, class path and arguments; None where they name none.

    Raises:
        ValueError: If the run has no config, or one of another version.
    """
    _, ckpt_paths = take(words, "--ckpt_path")
    if not ckpt_paths:
        return None
    data: dict[str, Any] | None = config_of(words).get("data")
    if data is None:
        raise ValueError(f"--ckpt_path {ckpt_paths[-1]} was built in Python: it names no data to read examples from")
    return data
