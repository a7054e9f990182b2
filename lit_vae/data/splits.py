"""Dividing examples into three splits, the same way wherever and whenever it is done."""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Literal, TypeVar

import numpy as np

from lit_vae.data.base import Split

Part = TypeVar("Part")


def layout(named: Collection[Split]) -> Literal["divided", "given", "incomplete"]:
    """What becomes of data by the splits that the names of its folders or files tell.

    Where they tell none, or train alone, of which something has to be held out, examples are ``divided`` by a hash.
    Where they tell all, or none to train on, the splits are ``given``: a lone test is the test split. Train and one
    other are ``incomplete``.

    Args:
        named: The splits that are told.
    """
    if set(named) <= {"train"}:
        return "divided"
    return "incomplete" if "train" in named and len(named) < 3 else "given"


def present(parts: Mapping[Split, Part], split: Split, where: str) -> Part:
    """What belongs to a split.

    Args:
        parts: The splits that there are.
        split: The one that is meant.
        where: What the data is called, in the message.

    Raises:
        ValueError: If it is not there; the message says which are.
    """
    if split not in parts:
        raise ValueError(
            f"{where} has nothing for {split}, only for {' and '.join(parts)}: add some, choose another split, or "
            f"change data.init_args.root (--data.root)"
        )
    return parts[split]


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


def permute(count: int, seed: int | None, vals: int, tests: int) -> dict[Split, np.ndarray]:
    """Positions in three splits, each in order, by NumPy's legacy permutation, which papers divide with.

    Args:
        count: Of all positions.
        seed: Of the permutation; None leaves the order as it is.
        vals: How many validate: those before the last ``tests``.
        tests: How many test: the last.

    Raises:
        ValueError: If that leaves one that trains or validates empty.
    """
    if vals < 1 or tests < 0 or vals + tests >= count:
        raise ValueError(
            f"data.init_args.val_size (and test_size) hold out some of {count} pictures, from 1, and leave some to "
            f"train, got {vals} (and {tests})"
        )
    order = np.arange(count) if seed is None else np.random.RandomState(seed).permutation(count)
    cuts = [count - tests - vals, count - tests]
    train, val, test = (np.sort(part) for part in np.split(order, cuts))
    return {"train": train, "val": val, "test": test}
