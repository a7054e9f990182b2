"""Choosing one of the symbols of a categorical distribution."""

import torch
from torch import Tensor

from lit_vae.decoding import Decoding


def choose(logits: Tensor, decoding: Decoding, uniform: Tensor) -> Tensor:
    """One symbol for each row, [*], int64, by inversion of the cumulative mass in float64.

    Args:
        logits: Scores of the symbols, [*, num_values].
        decoding: Temperature 0 takes the best score.
        uniform: Numbers strictly between 0 and 1, [*].
    """
    if decoding.temperature == 0:
        return logits.argmax(-1)
    cumulative = (logits.double() / decoding.temperature).softmax(-1).cumsum(-1)
    threshold = uniform.to(cumulative).unsqueeze(-1) * cumulative[..., -1:]
    return torch.searchsorted(cumulative, threshold, right=True).squeeze(-1)
