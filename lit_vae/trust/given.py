"""What the user vouches for: the modules of --trust, and what is said on the command line and in his own configs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Given:
    """What comes from the user.

    Args:
        modules: Those of ``--trust``; a package stands for all in it.
        config: What config files and flags say. It takes the place of what a checkpoint says under the same keys.
    """

    modules: frozenset[str] = frozenset()
    config: dict[str, Any] = field(default_factory=dict)


NOTHING = Given()
GIVEN: ContextVar[Given] = ContextVar("lit_vae_trust", default=NOTHING)


@contextmanager
def trusting(modules: Iterable[str] = (), config: dict[str, Any] | None = None) -> Iterator[None]:
    """A context in which checkpoints may name classes and functions of some modules, too.

    Args:
        modules: Their names.
        config: What the user's own configs and flags say.

    Raises:
        ValueError: If a name is no module's.
    """
    for name in modules:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"--trust takes the name of a module, such as my_module or my_package.heads; got {name!r}")
    before = GIVEN.get()
    token = GIVEN.set(Given(before.modules | frozenset(modules), before.config if config is None else config))
    try:
        yield
    finally:
        GIVEN.reset(token)


def inside(path: str, packages: Iterable[str]) -> bool:
    """Whether a dotted path is one of some packages or modules, or lies in one."""
    return any(path == package or path.startswith(f"{package}.") for package in packages)
