"""Choosing tokens of a long vocabulary: what is done to all of it is little, in float32 and in place."""

import torch
from torch import Tensor

from lit_vae.decoding import Decoding
from lit_vae.distributions.grid import widest_float

BLOCK = 128
"""Tokens whose masses are summed before a uniform number is looked for among them."""

FAINTEST = -80.0
"""Least log-mass beside the most probable token's: what is fainter is never drawn, and slow to exponentiate."""


def choose_token(logits: Tensor, decoding: Decoding, uniform: Tensor) -> Tensor:
    """One token for each row, [N], int64.

    Args:
        logits: Scores of each token, [N, num_values], float32 or better.
        decoding: Temperature and what is cut away; a search chooses elsewhere.
        uniform: Strictly between 0 and 1, [N].
    """
    if decoding.temperature == 0:
        return logits.argmax(-1)
    masses = relative_masses(logits.detach(), decoding.temperature)
    if decoding.top_k is not None and decoding.top_k < masses.shape[1]:
        drop_below(masses, masses.topk(decoding.top_k, -1).values[:, -1:])
    if decoding.top_p is not None and decoding.top_p < 1:
        drop_below(masses, nucleus(masses, decoding.top_p))
    return invert(masses, uniform)


def relative_masses(logits: Tensor, temperature: float) -> Tensor:
    """Masses over that of the most probable token, [N, num_values], a tensor of its own.

    Args:
        logits: [N, num_values].
        temperature: Above 0.
    """
    return (logits - logits.amax(-1, keepdim=True)).div_(temperature).clamp_(min=FAINTEST).exp_()


def drop_below(masses: Tensor, least: Tensor) -> None:
    """Set masses [N, num_values] below the least [N, 1] to 0, in place."""
    masses.masked_fill_(masses < least, 0.0)


def nucleus(masses: Tensor, part: float) -> Tensor:
    """The least mass in the smallest set of largest masses that makes up a part of the whole, [N, 1].

    Args:
        masses: Unnormalised, [N, num_values].
        part: In (0, 1).
    """
    values = masses.shape[1]
    wide = widest_float(masses.device)
    needed = masses.sum(-1, keepdim=True, dtype=wide) * part
    looked_at = 256  # a whole vocabulary is dear to sort, and a nucleus is small
    while True:
        largest = masses.topk(min(looked_at, values), -1).values
        cumulative = largest.to(wide).cumsum(-1)
        if looked_at >= values or bool((cumulative[:, -1:] >= needed).all()):
            break
        looked_at *= 8
    last = torch.searchsorted(cumulative, needed).clamp(max=largest.shape[1] - 1)
    return largest.gather(-1, last)


def invert(masses: Tensor, uniform: Tensor) -> Tensor:
    """The token that a uniform number falls to, [N], int64, by inversion of the cumulative mass, block by block.

    Args:
        masses: Unnormalised, [N, num_values], at least one of a row above 0.
        uniform: Strictly between 0 and 1, [N].
    """
    rows, values = masses.shape
    wide = widest_float(masses.device)
    blocks = torch.nn.functional.pad(masses, (0, -values % BLOCK)).view(rows, -1, BLOCK)
    sums = blocks.sum(-1).to(wide)
    cumulative = sums.cumsum(-1)
    threshold = uniform.to(cumulative).unsqueeze(-1) * cumulative[:, -1:]
    block = torch.searchsorted(cumulative, threshold)
    total = sums.gather(-1, block)
    # Above 0 but for rounding, so that no token without mass is met.
    part = ((threshold - cumulative.gather(-1, block) + total) / total).clamp(2.0**-60, 1.0)
    within = blocks[torch.arange(rows, device=masses.device), block.squeeze(-1)].to(wide).cumsum(-1)
    token = torch.searchsorted(within, part * within[:, -1:])
    return (block * BLOCK + token).squeeze(-1)
