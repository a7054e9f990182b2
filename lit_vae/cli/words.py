"""Reading flags off a command line before a parser sees it."""

from collections.abc import Iterator


def take(words: list[str], *names: str) -> tuple[list[str], list[str]]:
    """The words without some flags, and the flags' values in order.

    Args:
        words: A command line; values follow their flag, or an equals sign.
        names: Spellings of one flag.

    Raises:
        ValueError: If a flag has no value.
    """
    rest: list[str] = []
    values: list[str] = []
    waiting = iter(words)
    for word in waiting:
        flag, equals, value = word.partition("=")
        if flag not in names:
            rest.append(word)
        elif equals:
            values.append(value)
        else:
            following = next(waiting, None)
            if following is None or following.startswith("--"):
                raise ValueError(f"{flag} needs a value")
            values.append(following)
    return rest, values


def flags(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each flag of a command line with its value, empty where it has none."""
    for word, following in zip(words, [*words, ""][1:], strict=True):
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            yield flag, value if equals or following.startswith("--") else following
