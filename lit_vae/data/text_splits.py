"""Dividing texts into three splits, equal texts into one."""

from collections.abc import Sequence
from typing import get_args

from lit_vae.data.base import Split
from lit_vae.data.splits import divide

SPLITS: tuple[Split, ...] = get_args(Split)


def split_texts(texts: Sequence[str], seed: int, val_fraction: float, test_fraction: float) -> dict[Split, list[str]]:
    """Texts in three splits, each in the order given. Equal texts fall into one split.

    Where a text falls depends on the text, the seed, and its rank among the others by a hash of both: neither on the
    order of the texts nor on a library's random numbers.

    Args:
        texts: At least three different ones.
        seed: Another seed, another division.
        val_fraction: Part of the different texts that validates.
        test_fraction: Part of the different texts that tests.

    Raises:
        ValueError: If a fraction is not between 0 and 1 or nothing is left to train on.
    """
    if not (val_fraction > 0 and test_fraction > 0 and val_fraction + test_fraction < 1):
        raise ValueError(
            f"val_fraction and test_fraction of data.init_args are above 0 and their sum below 1, "
            f"got {val_fraction} and {test_fraction}"
        )
    different = sorted(set(texts))
    tests = max(1, round(test_fraction * len(different)))
    vals = max(1, round(val_fraction * len(different)))
    if len(different) <= tests + vals:
        raise ValueError(
            f"{len(different)} different texts cannot be divided into {vals} to validate, {tests} to test and some to "
            f"train: give data.init_args.root more lines, or change data.init_args.val_fraction and test_fraction"
        )
    split_of = {different[i]: split for split, chosen in divide(different, seed, vals, tests).items() for i in chosen}
    return {split: [text for text in texts if split_of[text] == split] for split in SPLITS}
