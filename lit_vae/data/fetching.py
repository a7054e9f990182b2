"""Fetching published data through torchvision, which compares checksums before it unpacks."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fetching(title: str, root: str) -> Iterator[None]:
    """Say what to do where data cannot be fetched, or another file came than was published.

    Args:
        title: What is fetched.
        root: Where it goes.

    Raises:
        ValueError: If it cannot be.
    """
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{title} cannot be fetched into {root} ({reason}): try again, or fetch it by hand and leave out "
            f"--data.download"
        ) from error
