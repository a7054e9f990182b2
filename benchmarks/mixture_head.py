"""Scoring pixels by a mixture of logistics: the formula of PixelCNN++ in eager torch against ours, gradient included.

    python benchmarks/mixture_head.py [--rounds 15 --device cpu --dtype float32]

P is the bytes of the parameter tensor. The traffic is counted as one read of the parameters and one write of their
gradient, as a share of what copying a tensor of that size achieves. The gradient is compared with ours in float64.
"""

import argparse
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from common import Work, interleaved, peak_bytes, publish
from torch import Tensor
from torch.nn import functional

from lit_vae.distributions.fused_mixture import mixture_log_prob
from lit_vae.distributions.mixture_layout import MixtureLayout

NUM_VALUES = 256
FLOOR = -7.0
CASES = [(32, 32, 10), (1, 256, 50)]  # examples, height and width, components
LogProb = Callable[[Tensor, Tensor], Tensor]
Row = dict[str, Any]


def pixelcnn(params: Tensor, codes: Tensor, layout: MixtureLayout) -> Tensor:
    """The baseline, [B, H, W]: channels last, the density instead of a mass below 1e-5, three channels.

    Source:
        Salimans et al., 2017, PixelCNN++, https://arxiv.org/abs/1701.05517, equations 2 and 3.
    """
    parts = layout.split(params.float())
    x = (codes.movedim(1, -1).float() * (2 / (NUM_VALUES - 1)) - 1).unsqueeze(-1)
    red, green, _ = x.unbind(-2)
    by_red, by_red_too, by_green = parts.coefficients.tanh().unbind(-2)
    first, second, third = parts.means.unbind(-2)
    centres = torch.stack([first, second + by_red * red, third + by_red_too * red + by_green * green], -2)
    log_scales = parts.scales.clamp(min=FLOOR)
    sharpness = torch.exp(-log_scales)
    offset = x - centres
    upper = sharpness * (offset + 1 / (NUM_VALUES - 1))
    lower = sharpness * (offset - 1 / (NUM_VALUES - 1))
    middle = sharpness * offset
    mass = torch.sigmoid(upper) - torch.sigmoid(lower)
    log_density = middle - log_scales - 2 * functional.softplus(middle) - math.log((NUM_VALUES - 1) / 2)
    inside = torch.where(mass > 1e-5, torch.log(mass.clamp(min=1e-12)), log_density)
    below_lowest_edge = upper - functional.softplus(upper)
    above_highest_edge = -functional.softplus(lower)
    terms = torch.where(x < -0.999, below_lowest_edge, torch.where(x > 0.999, above_highest_edge, inside))
    return torch.logsumexp(terms.sum(-2) + parts.logits.log_softmax(-1), -1)


def differentiate(log_prob: LogProb, params: Tensor, codes: Tensor) -> Tensor:
    """One forward and backward pass; the gradient."""
    params.grad = None
    log_prob(params, codes).sum().backward()
    assert params.grad is not None, "a leaf has a gradient after a backward pass"
    return params.grad


def measure(examples: int, size: int, components: int, rounds: int, device: str, dtype: torch.dtype) -> list[Row]:
    """Rows of the table for one shape."""
    layout = MixtureLayout(3, components)
    codes = torch.randint(NUM_VALUES, (examples, 3, size, size), dtype=torch.uint8, device=device)
    params = 0.5 * torch.randn(examples, size, size, layout.size, device=device)
    layout.split(params).scales.sub_(2.0)
    params = params.to(dtype).requires_grad_()

    ours = partial(mixture_log_prob, num_values=NUM_VALUES, components=components, autoregressive=True, floor=FLOOR)
    ways: dict[str, LogProb] = {"PixelCNN++ formula": partial(pixelcnn, layout=layout), "ours": ours}
    works: dict[str, Work] = {name: partial(differentiate, way, params, codes) for name, way in ways.items()}
    copy = torch.empty_like(params)
    seconds = interleaved({**works, "copy": lambda: copy.copy_(params.detach())}, rounds)

    exact = differentiate(ours, params.detach().double().requires_grad_(), codes)
    rows = []
    for name, work in works.items():
        off = (work() - exact).norm() / exact.norm()
        params.grad = None
        rows.append(
            {
                "pictures": f"{examples} x 3 x {size} x {size}",
                "K": components,
                "what": name,
                "ms": 1e3 * seconds[name],
                "times faster": seconds["PixelCNN++ formula"] / seconds[name],
                "peak memory / P": peak_bytes(work, device) / params.nbytes,
                "traffic GB/s": 2 * params.nbytes / seconds[name] / 1e9,
                "share of copying": seconds["copy"] / seconds[name],
                "gradient off by": off.item(),
            }
        )
    return rows


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="repetitions of each shape")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"], help="of the parameters")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    asked = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(asked.threads)
    dtype = getattr(torch, asked.dtype)
    rows = [row for case in CASES for row in measure(*case, asked.rounds, asked.device, dtype)]
    publish("mixture_head", rows, asked.device)


if __name__ == "__main__":
    main()
