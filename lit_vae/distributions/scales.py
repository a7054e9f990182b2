"""How an unconstrained number becomes a scale."""

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True)
class ScaleLink:
    """From an unconstrained number to a log-scale, on a scale where the grey levels span [-1, 1].

    Args:
        form: ``exp``: the number is the log-scale; ``softplus``: the scale is ln(1 + exp(beta a)) / beta, whose slope
            in a never exceeds 1.
        beta: Of the softplus.
        floor: Smallest log-scale.

    Source:
        Softplus with beta: Hazami et al., 2022, Efficient-VDVAE, https://arxiv.org/abs/2203.13751.
    """

    form: Literal["exp", "softplus"] = "exp"
    beta: float = math.log(2.0)
    floor: float = -7.0

    def log_scale(self, raw: Tensor) -> Tensor:
        """Log-scale, [*]."""
        if self.form == "softplus":
            raw = (-logsigmoid(-(self.beta * raw).clamp(min=-80.0))).log() - math.log(self.beta)
        return raw.clamp(min=self.floor)

    def raw(self, log_scale: float) -> float:
        """The number that becomes a given log-scale."""
        if self.form == "exp":
            return log_scale
        return math.log(math.expm1(self.beta * math.exp(log_scale))) / self.beta


def default_floor(num_values: int) -> float:
    """The log-scale that -7, usual at 256 levels, becomes at another number: about a ninth of a grey level."""
    return -7.0 - math.log((num_values - 1) / 255)
