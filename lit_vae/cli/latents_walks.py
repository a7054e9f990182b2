"""The verbs that walk through latent space: interpolate, traverse."""

from __future__ import annotations

import math
import sys
from itertools import chain, product

import torch

from lit_vae.batch import Batch
from lit_vae.cli import near
from lit_vae.cli.call import call, data_of
from lit_vae.cli.output import deliver, target
from lit_vae.cli.portion import portion
from lit_vae.cli.show import information
from lit_vae.data import AnySplit, SymbolDataModule
from lit_vae.decoding import Decoding
from lit_vae.draws import posterior_mean
from lit_vae.rendering import Label
from lit_vae.vae import LitVAE
from lit_vae.walks import along, between

HERE = "a text as it stands, or the file of a picture; instead of examples of the split."
ENDS = {"start": ("--from", f"Where the walk starts: {HERE}"), "end": ("--to", f"Where it ends: {HERE}")}
"""Flags whose names Python keeps for itself."""


def interpolate(words: list[str]) -> None:
    """Show what lies between examples."""
    call("interpolate", show_interpolation, words, data_of(words), ENDS)


def traverse(words: list[str]) -> None:
    """Show what latent variables do."""
    only = {"start": ("--from", f"What is changed: {HERE}")}
    call("traverse", show_traversal, words, data_of(words), only)


def show_interpolation(
    ckpt_path: str,
    data: SymbolDataModule,
    start: str | None,
    end: str | None,
    out: str | None = None,
    num: int = 4,
    steps: int = 8,
    split: AnySplit = "test",
    pairs: list[int] | None = None,
    beams: int | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Show what lies between two examples: each pair in a row, the originals at its ends.

    The walk is on the arc between the noises that the prior would have made the two of; its ends are the posterior's
    means, decoded greedily.

    Args:
        ckpt_path: A run directory, whose best checkpoint is taken, or a checkpoint.
        data: Where the examples come from; the run's own unless changed with --data.
        start: The flag --from.
        end: The flag --to.
        out: The file to write, .png for pictures, .txt for texts; unless named, pictures go to interpolation.png and
            texts to the screen.
        num: How many pairs: the first two examples of the split, the next two, and so on.
        steps: Points on the way, both ends included.
        split: train, val, test or all.
        pairs: Numbers of the examples instead, two to a pair: '[3, 17]'.
        beams: For texts: search for the most probable text, keeping so many; unset, greedy.
        overwrite: Replace an existing file.
        json: Print for a machine.
    """
    vae = LitVAE.load_from_checkpoint(ckpt_path)
    if (start is None) != (end is None):
        raise ValueError("a walk has two ends: say both --from and --to, or neither for examples of the data")
    if num < 1:
        raise ValueError(f"--num counts pairs up from 1, got {num}")
    if pairs is not None and (len(pairs) % 2 or not pairs):
        raise ValueError(f"--pairs names two examples to a pair, got {pairs}")
    if start is not None and end is not None:
        batch = typed(vae, [start, end])
    else:
        numbers = pairs or list(range(2 * num))
        batch = chosen(vae, data, split, numbers[0::2] + numbers[1::2])
    path = target(out, "interpolation", vae.symbols.suffix, overwrite)
    stack, ways = vae.encode(batch, posterior_mean, measured=False), len(batch) // 2
    shown = vae.show(between(vae, stack[:ways], stack[ways:], steps), decoding=Decoding(0.0, beams=beams))
    every = vae.symbols.render(batch.x, batch.mask) + shown
    first = [2 * ways + way * steps for way in range(ways)]
    order = [[way, *range(first[way], first[way] + steps), ways + way] for way in range(ways)]
    parts: list[str | float] = ["from", *(step / (steps - 1) for step in range(steps)), "to"]
    labels: list[dict[str, Label]] = [{"pair": way + 1, "part": part} for way, part in product(range(ways), parts)]
    deliver(every[[*chain.from_iterable(order)]].in_rows(steps + 2, labels), path, json)


def show_traversal(
    ckpt_path: str,
    data: SymbolDataModule,
    start: str | None,
    out: str | None = None,
    example: int = 0,
    split: AnySplit = "test",
    layer: str | None = None,
    variables: list[int] | None = None,
    at: list[int] | None = None,
    num: int = 8,
    steps: int = 7,
    reach: float = 3.0,
    beams: int | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Show what latent variables do: each in a row, its values from low to high, all else as in one example.

    A variable is a channel of a latent layer. What stays as it was, there and in all other layers, is the noise that
    the prior would have made z of.

    Args:
        ckpt_path: A run directory, whose best checkpoint is taken, or a checkpoint.
        data: Where the example comes from; the run's own unless changed with --data.
        start: The flag --from.
        out: The file to write, .png for pictures, .txt for texts; unless named, pictures go to traversal.png and texts
            to the screen.
        example: Number of the example in the split.
        split: train, val, test or all.
        layer: Name of the latent layer, such as 4x4.0; unset, the one with the largest KL on average over the
            validation split (its first 128 examples).
        variables: Numbers of the variables, from 0: '[0, 5]'; unset, those with the largest KL, the largest first.
        at: Position at which the variables change, such as '[2, 3]', row and column; unset, all of the layer.
        num: How many variables, unless they are named.
        steps: Values of each.
        reach: The largest value, in standard deviations from the prior's mean; the smallest is its negative.
        beams: For texts: search for the most probable text, keeping so many; unset, greedy.
        overwrite: Replace an existing file.
        json: Print for a machine.
    """
    vae = LitVAE.load_from_checkpoint(ckpt_path)
    if steps < 2 or num < 1 or not reach > 0:
        raise ValueError(f"--steps counts up from 2, --num from 1, and --reach is above 0; got {steps}, {num}, {reach}")
    layers = {each.name: each for each in vae.layers()}
    if not layers:
        raise ValueError("this model has no latent variables to change: it is a plain likelihood")
    if layer is not None and layer not in layers:
        raise ValueError(f"--layer {layer} is no latent layer of the model{near(layer, list(layers))}")
    batch = chosen(vae, data, split, [example]) if start is None else typed(vae, [start])
    path = target(out, "traversal", vae.symbols.suffix, overwrite)
    if layer is None or variables is None:
        measured = dict(zip(layers, information(vae, data), strict=True))
        sizes = {name: nats.sum() * math.prod(layers[name].shape[:-1]) for name, nats in measured.items()}
        layer = layer or max(sizes, key=lambda name: float(sizes[name]))
        if variables is None:
            variables = measured[layer].argsort(descending=True)[:num].tolist()
        print(f"largest KL: layer {layer}, variables {', '.join(map(str, variables))}", file=sys.stderr)
    values = [reach * (2 * step / (steps - 1) - 1) for step in range(steps)]
    stack = vae.encode(batch, posterior_mean, measured=False)
    walk = along(vae, stack, layers[layer].index, [(*(at or []), variable) for variable in variables], values)
    shown = vae.show(walk, decoding=Decoding(0.0, beams=beams))
    labels: list[dict[str, Label]] = [
        {"layer": layer, "variable": variable, "value": value} for variable, value in product(variables, values)
    ]
    deliver(shown.in_rows(steps, labels), path, json)


def typed(vae: LitVAE, words: list[str]) -> Batch:
    """Examples that the user spelled out."""
    x, mask = vae.symbols.read(words)
    return Batch(x, mask, torch.arange(len(x)))


def chosen(vae: LitVAE, data: SymbolDataModule, split: AnySplit, numbers: list[int]) -> Batch:
    """Examples of a split by their numbers; says on stderr which part of the data the split is.

    Raises:
        ValueError: If there is no such example, or the model was trained on other data.
    """
    vae.learn(data.symbols)
    dataset = data.evaluated(split)
    if not all(0 <= number < len(dataset) for number in numbers):
        wrong = next(number for number in numbers if not 0 <= number < len(dataset))
        raise ValueError(f"examples of --split {split} are numbered from 0 to {len(dataset) - 1}, got {wrong}")
    print(portion(data, split), file=sys.stderr)
    return dataset.__getitems__(numbers)
