"""Likelihoods and KLs are computed in float32 or better."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor itself, or float32 where it holds less."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()
