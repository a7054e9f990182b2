"""Choosing one of several classes, the same way wherever classes are chosen."""

import torch
from torch import Tensor

from lit_vae.distributions.grid import widest_float


def temper(log_weights: Tensor, temperature: float) -> Tensor:
    """Log-weights divided by a temperature, [*, K], their largest moved to 0 so that none overflows.

    Args:
        log_weights: Unnormalised, [*, K].
        temperature: Above 0; below 1 is sharper.
    """
    return (log_weights - log_weights.amax(-1, keepdim=True)) / temperature


def choose(log_weights: Tensor, uniform: Tensor) -> Tensor:
    """The class that a uniform number falls to, [*], int64, by inversion of the cumulative mass.

    Args:
        log_weights: Unnormalised, [*, K].
        uniform: Strictly between 0 and 1, [*].
    """
    wide = widest_float(log_weights.device)
    cumulative = log_weights.to(wide).softmax(-1).cumsum(-1)
    threshold = uniform.to(cumulative).unsqueeze(-1) * cumulative[..., -1:]
    return torch.searchsorted(cumulative, threshold).squeeze(-1)
