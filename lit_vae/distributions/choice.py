"""Choosing one of several classes, the same way wherever classes are chosen."""

import torch
from torch import Tensor


def temper(log_weights: Tensor, temperature: float) -> Tensor:
    """Log-weights divided by a temperature, [*, K], their largest moved to 0 so that none overflows.

    Args:
        log_weights: Unnormalised, [*, K].
        temperature: Above 0; below 1 is sharper.
    """
    return (log_weights - log_weights.amax(-1, keepdim=True)) / temperature


def choose(log_weights: Tensor, uniform: Tensor) -> Tensor:
    """The class that a uniform number falls to, [*], int64: the inverse of the cumulative distribution.

    Args:
        log_weights: Unnormalised, [*, K].
        uniform: Strictly between 0 and 1, [*].
    """
    cumulative = log_weights.softmax(-1, dtype=torch.promote_types(log_weights.dtype, torch.float32)).cumsum(-1)
    places = torch.searchsorted(cumulative[..., :-1].contiguous(), uniform.unsqueeze(-1).to(cumulative.dtype))
    return places.squeeze(-1)
