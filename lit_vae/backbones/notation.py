"""The short forms in which papers write down deep networks."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise

PART = re.compile(r"(\d+)(?:x(\d+)|([dm])(\d+))?")


def parse_blocks(text: str, link: str, key: str) -> list[tuple[int, int | None]]:
    """Resolution of each block, and the number behind a link where it has one.

    Args:
        text: Parts joined by commas: ``RxN`` for N blocks at resolution R, ``R`` for one, and one that is linked to
            another resolution: ``RdK`` or ``RmK``.
        link: Which link there may be, ``d`` or ``m``.
        key: The argument, for messages.

    Raises:
        ValueError: If a part reads otherwise.
    """
    blocks: list[tuple[int, int | None]] = []
    for part in text.replace(" ", "").split(","):
        match = PART.fullmatch(part)
        if match is None or match[3] not in (None, link) or "0" in (match[1], match[2], match[4]):
            raise ValueError(
                f"model.backbone.init_args.{key}: '{part}' is neither RxN, N blocks at resolution R, nor R{link}K, "
                f"as in {'32x11,32d2,16x6' if link == 'd' else '1x1,4m1,4x2'}"
            )
        resolution = int(match[1])
        blocks += [(resolution, int(match[4]) if match[4] else None)] * int(match[2] or 1)
    return blocks


def parse_encoder(text: str) -> list[tuple[int, int]]:
    """Resolution of each bottom-up block, and what it is divided by after it.

    Args:
        text: ``RxN`` for N blocks at resolution R, ``RdK`` for one after which the resolution is R / K.

    Raises:
        ValueError: If it does not parse, or one resolution does not lead to the next.
    """
    steps = [(resolution, factor or 1) for resolution, factor in parse_blocks(text, "d", "enc_blocks")]
    for resolution, factor in steps:
        if resolution % factor:
            raise ValueError(
                f"model.backbone.init_args.enc_blocks: '{resolution}d{factor}' leaves no whole resolution: divide by "
                f"one of {divisors(resolution)}"
            )
    for (before, factor), (after, _) in pairwise(steps):
        if after != before // factor:
            raise ValueError(
                f"model.backbone.init_args.enc_blocks: a block at {after} follows where the resolution is "
                f"{before // factor}: write {before // factor} there, or change the d before it"
            )
    return steps


def parse_decoder(text: str, encoder: Sequence[tuple[int, int]]) -> list[tuple[int, int | None]]:
    """Resolution of each top-down block, and the resolution that it comes from where it is the first at its own.

    Args:
        text: ``RxN`` for N blocks at resolution R, ``RmK`` for one that enters R from K.
        encoder: What :func:`parse_encoder` returned: the resolutions that there are.

    Raises:
        ValueError: If it does not parse, or one resolution does not lead to the next.
    """
    key = "model.backbone.init_args.dec_blocks"
    blocks = parse_blocks(text, "m", "dec_blocks")
    known = sorted({resolution for resolution, _ in encoder} | {encoder[-1][0] // encoder[-1][1]})
    for resolution, _ in blocks:
        if resolution not in known:
            raise ValueError(f"{key}: resolution {resolution} is none of enc_blocks': {known}")
    if blocks[0] != (known[0], None):
        raise ValueError(f"{key} begins where enc_blocks ends: write {known[0]}x1 for its first block")
    for (before, _), (after, source) in pairwise(blocks):
        if source is None and after != before:
            raise ValueError(f"{key}: the first block at {after} comes from {before}: write {after}m{before}")
        if source is not None and (source != before or after <= before or after % before):
            raise ValueError(
                f"{key}: '{after}m{source}' follows a block at {before}: a block enters a multiple of the resolution "
                f"that it comes from, {next((r for r in known if r > before), before)}m{before}"
            )
    if blocks[-1][0] != encoder[0][0]:
        raise ValueError(
            f"{key} ends at resolution {blocks[-1][0]}, enc_blocks begins at {encoder[0][0]}: "
            f"end it with {encoder[0][0]}m{blocks[-1][0]}"
        )
    return blocks


def divisors(number: int) -> list[int]:
    """All divisors but 1."""
    return [n for n in range(2, number + 1) if number % n == 0]


def parse_runs(given: float | str | Sequence[float], key: str, length: int | None = None) -> list[float]:
    """A list of numbers.

    Args:
        given: The list itself; or runs joined by commas, ``1x11,2`` for eleven 1s and a 2; or one number for all.
        key: The argument, for messages.
        length: How many there must be; None for any.

    Raises:
        ValueError: If it does not parse, or there are more or fewer.
    """
    where = f"model.backbone.init_args.{key}"
    if isinstance(given, (int, float)):
        return [given] * (length or 1)
    numbers: list[float] = []
    for run in given.replace(" ", "").split(",") if isinstance(given, str) else given:
        try:
            value, times, count = str(run).partition("x")
            number, repeats = float(value), int(count) if times else 1
        except ValueError:
            number, repeats = math.nan, 0
        if not math.isfinite(number) or repeats < 1:
            raise ValueError(f"{where}: '{run}' is neither a number nor a run of them, as in 1x11,2,1x6")
        numbers += [number] * repeats
    if length is not None and len(numbers) != length:
        raise ValueError(f"{where} has {len(numbers)} entries, up_strides has {length}: give both as many")
    return numbers


def parse_whole_runs(given: int | str | Sequence[int], key: str, length: int | None = None) -> list[int]:
    """A list of integers, as :func:`parse_runs` reads them.

    Raises:
        ValueError: If it does not parse, a number is not whole, or there are more or fewer.
    """
    numbers = parse_runs(given, key, length)
    for number in numbers:
        if number != int(number):
            raise ValueError(
                f"model.backbone.init_args.{key} holds {number}, the nearest whole number is {round(number)}"
            )
    return [int(number) for number in numbers]
