"""Taking flags out of a command line before a parser sees it."""


def take(words: list[str], *flags: str) -> tuple[list[str], list[str]]:
    """The words without some flags, and the flags' values in order.

    Args:
        words: A command line; values follow their flag, or an equals sign.
        flags: Spellings of one flag.

    Raises:
        ValueError: If a flag has no value.
    """
    rest: list[str] = []
    values: list[str] = []
    waiting = iter(words)
    for word in waiting:
        flag, equals, value = word.partition("=")
        if flag not in flags:
            rest.append(word)
        elif equals:
            values.append(value)
        else:
            following = next(waiting, None)
            if following is None or following.startswith("--"):
                raise ValueError(f"{flag} needs a value")
            values.append(following)
    return rest, values
