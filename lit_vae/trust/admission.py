"""What is taken from a checkpoint: all of its user's own, and of a stranger's what a stranger may set."""

from __future__ import annotations

from typing import Any

import yaml
from lightning.pytorch import Trainer

from lit_vae.callbacks import CollapseWatch, Examples, KeepBest, KeepLast
from lit_vae.data import SymbolDataModule
from lit_vae.trust import places
from lit_vae.trust.given import GIVEN
from lit_vae.trust.kinds import hints_of
from lit_vae.trust.plain import NotPlain, plain, read_yaml
from lit_vae.trust.refused import Refused
from lit_vae.trust.signature import is_own
from lit_vae.trust.walk import Walk
from lit_vae.vae import LitVAE

SECTIONS: dict[str, type] = {
    "trainer": Trainer,
    "checkpoint": KeepBest,
    "last": KeepLast,
    "collapse": CollapseWatch,
    "examples": Examples,
}
"""Top-level keys of a config under which a class has its arguments, beside model and data."""

INSTANTIATOR = "_instantiator"
MAKER = "lightning.pytorch.cli.instantiate_module"
"""What Lightning writes beside hyper-parameters; nothing else is called."""


def admitted_hyper_parameters(checkpoint: dict[str, Any], where: str) -> dict[str, Any]:
    """The constructor arguments that a checkpoint holds, plain values.

    Args:
        checkpoint: Its contents.
        where: The file, for messages.

    Raises:
        Refused: If it is a stranger's, and they are not what a stranger may set.
    """
    found = checkpoint.get("hyper_parameters", {})
    if is_own(checkpoint):
        return {name: value for name, value in found.items() if name != INSTANTIATOR}
    settings = mapping(found, where, "hyper_parameters")
    if settings.pop(INSTANTIATOR, MAKER) != MAKER:
        raise Refused(where, f"hyper_parameters.{INSTANTIATOR}", f"is {found[INSTANTIATOR]!r}, not {MAKER}")
    hints = hints_of(LitVAE)
    unknown = settings.keys() - hints.keys()
    if unknown:
        raise Refused(where, f"hyper_parameters.{min(unknown)}", "is no setting of a model")
    Walk(where).arguments(settings, hints, "hyper_parameters")
    return settings


def admitted_config(checkpoint: dict[str, Any], where: str) -> str | None:
    """The config that a checkpoint holds, YAML; None where it holds none.

    Args:
        checkpoint: Its contents.
        where: The file, for messages.

    Raises:
        Refused: If it is a stranger's, and sets what a stranger may not and the user's own config and flags leave.
    """
    text = checkpoint.get("config")
    if text is None or is_own(checkpoint):
        return text
    if not isinstance(text, str):
        raise Refused(where, "config", f"is a {type(text).__name__} where a text belongs")
    try:
        found = read_yaml(text)
    except NotPlain as error:
        raise Refused(where, "config", str(error)) from error
    config = without(mapping(found, where, "config"), GIVEN.get().config)
    for name, value in config.items():
        if name in places.RUN_ONLY and value is not None:
            raise Refused(where, name, f"is {value!r}, which only a command says")
        check_section(name, value, where)
    # written anew: what was checked is what is parsed
    return f"# of {where}\n{yaml.safe_dump(config, sort_keys=False, allow_unicode=True)}"


def check_section(name: str, value: Any, where: str) -> None:
    """Check what stands under a top-level key of a config.

    Raises:
        Refused: If a stranger may not set it.
    """
    if name == "data":
        Walk(where, places.OF_DATA).value(value, SymbolDataModule, name)
    elif name == "model":
        Walk(where).arguments(value, hints_of(LitVAE), name)
    else:
        made = SECTIONS.get(name)
        Walk(where, places.OF_TRAINER).arguments(value, {} if made is None else hints_of(made), name)


def mapping(found: Any, where: str, key: str) -> dict[str, Any]:
    """Settings, copied.

    Raises:
        Refused: If they are no tree of plain values with texts as keys.
    """
    try:
        copied = plain(found)
    except NotPlain as error:
        raise Refused(where, key, str(error)) from error
    if not isinstance(copied, dict):
        raise Refused(where, key, "is no mapping of keys to values")
    return copied


def without(config: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A config without what the user's own takes the place of: values, and classes for which it names another.

    Args:
        config: The stranger's.
        own: The user's.
    """
    left = dict(config)
    for key in config.keys() & own.keys():
        theirs, mine = config[key], own[key]
        both = isinstance(theirs, dict) and isinstance(mine, dict)
        if both and mine.get("class_path", theirs.get("class_path")) == theirs.get("class_path"):
            left[key] = without(theirs, mine)
        elif key != "class_path":
            del left[key]
    return left
