"""jsonargparse's errors in fewer words, with near misses."""

from __future__ import annotations

import re

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from lit_vae.cli import near

NOISE = re.compile(r"Given value|Subtypes:|Errors:|Does not validate|- Expected a <class 'NoneType'>|Expected a path")
UNKNOWN = re.compile(r"unrecognized arguments: --([\w.]+)|does not accept option '([\w.]+)'")


def parse(parser: ArgumentParser, words: list[str], keys_of: ArgumentParser | None = None) -> Namespace:
    """Parse a command line.

    Args:
        parser: Made with ``exit_on_error=False``.
        words: The command line.
        keys_of: The parser whose keys are near misses: a verb's own; None for ``parser``.

    Raises:
        ValueError: If it does not parse.
    """
    try:
        return parser.parse_args(words)
    except ArgumentError as error:
        raise ValueError(explain(str(error), keys_of or parser)) from error


def explain(text: str, parser: ArgumentParser) -> str:
    """A parser's message, shorter, with the near misses of a key that it does not know."""
    kept = [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip() and not NOISE.search(line)]
    short = " ".join(kept)
    unknown = re.search(
        r"unrecognized arguments: --([\w.]+)|Key '([\w.]+)' is not|[Nn]o action for key '([\w.]+)'", short
    )
    if unknown is None:
        return short
    known = sorted({option.lstrip("-") for action in parser._actions for option in action.option_strings})
    return short + near(next(filter(None, unknown.groups())), known)
