"""From 8-bit grey levels to the integers of a model: one rule for data that is read and for a file that is named."""

from typing import Literal, get_args

import torch
from torch import Tensor

from lit_vae.noise import IndexedNoise, Noise

Rule = Literal["floor", "nearest", "coin"]
"""How 256 grey levels become fewer.

``floor`` keeps the upper bits, floor(v num_values / 256), and is for powers of two. ``nearest`` takes the level that
looks most alike, round(v (num_values - 1) / 255). ``coin`` is white with probability v / 255, and black otherwise.
"""

# Names the stream of an evaluation's coins, apart from those of its latents.
EVALUATION_STREAM = int.from_bytes(b"binarize")


def rule_of(num_values: int, rule: Rule | None = None) -> Rule:
    """The rule for an alphabet: ``floor`` for a power of two up to 256 unless another is given, else ``nearest``.

    Args:
        num_values: Grey levels that are left.
        rule: The choice; None for the default.

    Raises:
        ValueError: If the rule is none of the three, or is for another number of levels.
    """
    power_of_two = num_values <= 256 and num_values.bit_count() == 1
    if rule is None:
        return "floor" if power_of_two else "nearest"
    if rule not in get_args(Rule):
        raise ValueError(f"rule must be one of {', '.join(get_args(Rule))}, got {rule!r}")
    if (rule == "floor" and not power_of_two) or (rule == "coin" and num_values != 2):
        needs = {"floor": "a power of two up to 256", "coin": "2"}[rule]
        raise ValueError(f"the rule {rule!r} needs num_values to be {needs}, got {num_values}: choose another rule")
    return rule


def quantize(levels: Tensor, num_values: int, rule: Rule, noise: Noise | None = None) -> Tensor:
    """Grey levels of 8 bits as integers in [0, num_values), [*], uint8 up to 256 values, int32 above.

    Args:
        levels: Grey levels, [*], uint8.
        num_values: Grey levels that are left.
        rule: How.
        noise: Tosses the coins of the rule ``coin``, which needs it; the other rules draw nothing.

    Source:
        coin: Salakhutdinov & Murray, 2008, https://doi.org/10.1145/1390156.1390266.
    """
    if rule == "floor":
        return levels >> (9 - num_values.bit_length())
    if rule == "coin":
        assert noise is not None, "coins need noise"
        return (noise.uniform(levels.shape) < levels / 255.0).to(torch.uint8)
    nearest = (levels.double() * ((num_values - 1) / 255.0)).round()
    return nearest.to(torch.uint8 if num_values <= 256 else torch.int32)


def evaluation_noise(index: Tensor) -> IndexedNoise:
    """The noise of an evaluation: each picture's number decides its coins, in every run, batch size and process.

    Args:
        index: Number of each picture in its split, [B].
    """
    return IndexedNoise(index, EVALUATION_STREAM)
