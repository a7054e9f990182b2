"""Which classes an argument takes, as its signature says."""

from __future__ import annotations

import collections.abc
import inspect
import logging
import os
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from types import EllipsisType, NoneType
from typing import Any, Literal, get_args, get_origin

from jsonargparse._parameter_resolvers import get_signature_parameters

from lit_vae.trust.given import inside

PACKAGES = ("lit_vae", "torch.optim", "torch.nn", "lightning.pytorch", "lightning.fabric")
"""Whose classes a stranger may name."""

PLAIN: tuple[Any, ...] = (bool, bytes, complex, dict, EllipsisType, float, frozenset, int, list, NoneType)
PLAIN += (os.PathLike, Path, set, str, timedelta, tuple)
"""Types for which a parser imports nothing, whatever text it is given."""


def kinds_of(hint: Any) -> set[type]:
    """The kinds of objects of :data:`PACKAGES` that a type hint takes.

    Those that a ``Callable`` returns are among them: a class is named there, whose other arguments a config gives.
    """
    return {kind for kind in classes_in(hint) if inside(kind.__module__, ("lit_vae", "torch", "lightning"))}


def classes_in(hint: Any) -> Iterator[type]:
    """The classes that a hint names: ``ELBO | None``, ``list[ELBO]``, ``Callable[[int], ELBO]``."""
    inner = get_args(hint)
    origin = get_origin(hint)
    if isinstance(hint, type) and not inner:
        yield hint
    elif origin is collections.abc.Callable:
        yield from classes_in(inner[-1] if inner else None)
    elif origin is not type:
        for each in inner:
            yield from classes_in(each)


@cache
def hints_of(found: type) -> dict[str, Any]:
    """The type hint of each argument of a class, as the parser finds them, those that it hands on included."""
    parameters = get_signature_parameters(found, None, logging.getLogger(__name__))
    return {parameter.name: parameter.annotation for parameter in parameters}


def only_plain(hint: Any) -> bool:
    """Whether a type hint takes nothing that a parser might import: no function, and no object of any class."""
    if (
        hint is None
        or hint is Any
        or hint is Ellipsis
        or hint is inspect.Parameter.empty
        or get_origin(hint) is Literal
    ):
        return True
    inner = get_args(hint)
    if inner:
        return get_origin(hint) not in (collections.abc.Callable, type) and all(map(only_plain, inner))
    return hint in PLAIN or (isinstance(hint, type) and issubclass(hint, Enum))
