"""Texts of any length as runs of tokens, so that nothing depends on how long a text was padded.

A run counts if it begins no later than the last token. What comes after a text then adds nothing to its bound, and as
long as the features of a token depend on no run that begins after it, summing over texts of all lengths needs no
knowledge of the length: the runs that were left out integrate to one.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad


def runs_of(length: int, size: int) -> int:
    """Number of runs of ``size`` tokens that begin in a text of ``length``."""
    return -(-length // size)


def in_runs(features: Tensor, size: int) -> Tensor:
    """Features run by run, the last filled up with zeros, [B, runs, size, width].

    Args:
        features: [B, L, width].
        size: Tokens of a run.
    """
    missing = -features.shape[1] % size
    return pad(features, (0, 0, 0, missing)).unflatten(1, (-1, size))


def begun(mask: Tensor | None, size: int) -> Tensor | None:
    """Runs that begin no later than the last token that exists, [B, runs], bool; None for all.

    Args:
        mask: Tokens that exist, [B, L], bool; None for all.
        size: Tokens of a run.
    """
    if mask is None:
        return None
    return (mask.flip(1).cumsum(1) > 0).flip(1)[:, ::size]


def hide(features: Tensor, mask: Tensor | None) -> Tensor:
    """Features with zeros where nothing exists, [B, L, width].

    Args:
        features: [B, L, width].
        mask: Positions that exist, [B, L], bool; None for all.
    """
    return features if mask is None else features.masked_fill(~mask.unsqueeze(-1), 0.0)


def drop_positions(features: Tensor, part: float, training: bool) -> Tensor:
    """Features with some positions zeroed in training, the others as they are, [B, L, width].

    Args:
        features: [B, L, width].
        part: Probability of each position.
        training: Whether to.
    """
    if not (training and part > 0):
        return features
    return hide(features, torch.rand(features.shape[:-1], device=features.device) >= part)
