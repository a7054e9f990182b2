"""jsonargparse's errors in fewer words, with near misses."""

from __future__ import annotations

import itertools
import re

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from lit_vae.cli import near

KEY = re.compile(r'Parser key "([\w.]+)"')
UNKNOWN_KEY = re.compile(r"[Uu]nrecognized arguments: --([^\s=]+)|does not accept option '([\w.]+)'")
STRAY = re.compile(r"[Uu]nrecognized arguments: (.+)")
UNKNOWN_ARGUMENT = re.compile(r"Option '([\w.]+)' is not accepted")
MISSING = re.compile(r"the following arguments are required: ([\w., ]+)")
MISFIT = re.compile(r"(?:to be a|not correspond to a|[Nn]ot a valid) subclass of (?:<class ')?([\w\[\], ]*[\w\]])")
EXPECTED = re.compile(r"Expected an? (<class '[\w.]+'>|typing\.\w+\[.*?\]|dot import path string)")
GIVEN = re.compile(
    r"(?m)(?:Given|Got) value: (?:NestedArg\(key='[\w.]+', val=|Namespace\(class_path=)?'?(.*?)'?\)?(?:\. Got value|$)"
)
RESTRICTED = re.compile(r"Not of type (\w+): (?:invalid literal .*: '(.*)'|(\S*) ?does not conform)")
COUNTS = {"PositiveInt": "int from 1", "NonNegativeInt": "int from 0"}
NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)e[-+]?\d+", re.IGNORECASE)
NOISE = re.compile(r"Given value|Subtypes:|Errors:|Does not validate|Expected an? |Type typing")


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
        return parser.parse_args(joined(words))
    except ArgumentError as error:
        raise ValueError(explain(str(error), keys_of or parser)) from error


def joined(words: list[str]) -> list[str]:
    """A command line whose negative numbers with an exponent are joined to their flags, for argparse."""
    whole: list[str] = []
    for word in words:
        if NEGATIVE.fullmatch(word) and whole and whole[-1].startswith("--") and "=" not in whole[-1]:
            whole[-1] += f"={word}"
        else:
            whole.append(word)
    return whole


def explain(text: str, parser: ArgumentParser) -> str:
    """A parser's message in one line: the key, what was expected and what came.

    Args:
        text: The message.
        parser: Its keys are the near misses of one that it does not know.
    """
    if unknown := UNKNOWN_KEY.search(text):
        key = next(filter(None, unknown.groups()))
        known = {option.lstrip("-").removesuffix(".help") for act in parser._actions for option in act.option_strings}
        return f"{key} is no key here{near(key, sorted(known))}"
    if stray := STRAY.search(text):
        return f"'{stray[1]}' belongs to no flag: flags start with --"
    key = ".init_args.".join(dict.fromkeys(KEY.findall(text)))
    if unknown := UNKNOWN_ARGUMENT.search(text):
        return f"{key}.init_args.{unknown[1]} is not accepted"
    if missing := MISSING.search(text):
        inner = f"{key}.init_args." if key else ""
        names = [re.sub(r"^(fit|validate|test)\.", "", name) for name in missing[1].split(", ")]
        return f"missing: {', '.join(f'--{inner}{name}' for name in names)}"
    given = [f", got {value}" for value in (GIVEN.findall(innermost(text)) or GIVEN.findall(text))[-1:]]
    text = innermost(text)
    if misfit := MISFIT.search(text):
        return "".join([f"{key}: expected a {misfit[1]}", *given])
    kinds = list(map(plain, EXPECTED.findall(text)))
    for kind, *values in RESTRICTED.findall(text):
        kinds.append(COUNTS.get(kind, kind))
        given = given or [f", got {value}" for value in values if value]
    expected = sorted(dict.fromkeys(kinds), key="null".__eq__)
    if key and expected:
        return "".join([f"{key}: expected {' or '.join(expected)}", *given])
    return objections(text)


def innermost(text: str) -> str:
    """What a message says of the type of the key that it names last, without those around it; else all of it."""
    lines = text.splitlines()
    at = max((number for number, line in enumerate(lines) if KEY.search(line)), default=0)
    margin = re.sub(r"\S.*", " ", lines[at]) if lines else ""
    block = "\n".join(itertools.takewhile(lambda line: line.startswith(margin), lines[at + 1 :]))
    return block if EXPECTED.search(block) else text


def objections(text: str) -> str:
    """The lines of a message that are not about types, as one."""
    kept = [line.strip().removeprefix("- ") for line in text.splitlines() if not NOISE.search(line)]
    return " ".join(filter(None, kept))


def own_words(error: BaseException) -> str:
    """What a class's constructor objected, however deep it is nested: jsonargparse says only that no type fits."""
    while "Union subtypes" in str(error) and isinstance(error.__cause__, ValueError):
        if EXPECTED.match(str(error.__cause__)):  # of a number, where a class may stand in its place
            return objections(str(error))
        error = error.__cause__
    return str(error)


def plain(kind: str) -> str:
    """A type in a reader's words: ``<class 'int'>`` is int, ``typing.Literal['a', 'b']`` is one of 'a', 'b'."""
    names = {"dot import path string": "a class path", "<class 'NoneType'>": "null"}
    kind = names.get(kind) or kind.removeprefix("<class '").removesuffix("'>")
    return kind.replace("typing.Literal[", "one of ").rstrip("]")
