"""A second wall, in the parser, which imports class paths: a name that the first one overlooks is refused there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jsonargparse import _common, set_parsing_settings

from lit_vae.trust.classes import is_path
from lit_vae.trust.given import GIVEN
from lit_vae.trust.signature import is_own

PACKAGES = ("lit_vae", "torch.optim", "torch.nn", "lightning")

# Under an argument without a type, a class path stays the text that it is.
set_parsing_settings(instantiate_subclass_spec_in_any=False)


@contextmanager
def guarded(checkpoint: dict[str, Any] | None) -> Iterator[None]:
    """A context in which the parser imports only what a checkpoint may name, and what the user names beside it.

    Args:
        checkpoint: The contents of the checkpoint; None where there is none, for all that the user names.
    """
    if checkpoint is None or is_own(checkpoint):
        yield
        return
    given = GIVEN.get()
    allowed = [*PACKAGES, *given.modules, *sorted(paths_in(given.config))]
    before = dict(_common.parsing_settings)  # there is no public way back
    set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=allowed)
    try:
        yield
    finally:
        _common.parsing_settings.update(before)


def paths_in(node: Any) -> set[str]:
    """The dotted paths in a user's own config."""
    if isinstance(node, dict):
        return set().union(*map(paths_in, node.values()))
    if isinstance(node, list):
        return set().union(*map(paths_in, node))
    return {node} if isinstance(node, str) and is_path(node) and not node.startswith("jsonargparse") else set()
