"""Dividing examples into three splits, the same way wherever and whenever it is done."""

from collections.abc import Sequence
from hashlib import blake2b

from lit_vae.data.base import Split


def divide(names: Sequence[str], seed: int, vals: int, tests: int) -> dict[Split, list[int]]:
    """Positions of the names in three splits, each in order, that only the names and the seed decide.

    Args:
        names: All different.
        seed: Another seed, another division.
        vals: How many validate.
        tests: How many test.
    """
    salt = str(seed).encode()
    order = sorted(range(len(names)), key=lambda i: blake2b(names[i].encode(), key=salt).digest())
    return {
        "test": sorted(order[:tests]),
        "val": sorted(order[tests : tests + vals]),
        "train": sorted(order[tests + vals :]),
    }
