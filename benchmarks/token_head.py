"""Scoring tokens: linear then cross-entropy, torch's fused call, and ours; seconds and peak memory, gradient included.

    python benchmarks/token_head.py [--tokens 8192 --width 512 --vocabulary 50000 --rounds 3 --device cpu]

Training weighs every token alike (``uniform``); ``arbitrary`` weights each on its own.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from common import interleaved, peak_bytes, publish
from torch import Tensor
from torch.nn import functional

from lit_vae.heads.linear_cross_entropy import linear_cross_entropy

Score = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def plain(features: Tensor, table: Tensor, bias: Tensor, ids: Tensor) -> Tensor:
    """The baseline: all logits at once."""
    logits = functional.linear(features, table, bias).float()
    return functional.cross_entropy(logits, ids, reduction="none")


def torch_chunked(features: Tensor, table: Tensor, bias: Tensor, ids: Tensor) -> Tensor:
    """torch's own without logits, torch 2.13 and later; it passes autocast over, so it gets the types it is to use."""
    if torch.is_autocast_enabled(features.device.type):
        features, table, bias = features.bfloat16(), table.bfloat16(), bias.bfloat16()
    with torch.autocast(features.device.type, enabled=False):
        options = torch.nn.LinearCrossEntropyOptions()
        return functional.linear_cross_entropy(
            features, table, ids, linear_bias=bias, reduction="none", options=options
        )


def step(
    losses: dict[str, float], name: str, score: Score, leaves: list[Tensor], ids: Tensor, weights: Tensor, low: bool
) -> None:
    """One forward and backward pass; leaves its loss under a name."""
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=low):
        nats = score(*leaves, ids)
    loss = (nats.float() * weights).sum()
    loss.backward()
    losses[name] = loss.item()
    for leaf in leaves:
        leaf.grad = None


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("tokens", 8192), ("width", 512), ("vocabulary", 50000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()

    torch.manual_seed(0)
    draw = partial(torch.randn, device=asked.device)
    leaves = [draw(asked.tokens, asked.width), draw(asked.vocabulary, asked.width) * asked.width**-0.5]
    leaves = [leaf.requires_grad_() for leaf in (*leaves, draw(asked.vocabulary))]
    ids = torch.randint(asked.vocabulary, (asked.tokens,), device=asked.device)
    weights = {"uniform": torch.full((asked.tokens,), 1 / asked.tokens, device=asked.device)}
    weights["arbitrary"] = torch.rand(asked.tokens, device=asked.device) * 2 / asked.tokens

    scores: dict[str, Score] = {"linear, cross_entropy": plain, "ours": linear_cross_entropy}
    if hasattr(torch.nn, "LinearCrossEntropyOptions"):
        scores["torch, chunked"] = torch_chunked
    rows = []
    for low in (False, True):
        for kind, weight in weights.items():
            losses: dict[str, float] = {}
            works = {name: partial(step, losses, name, scores[name], leaves, ids, weight, low) for name in scores}
            seconds = interleaved(works, asked.rounds)
            rows += [
                {
                    "products": "bfloat16" if low else "float32",
                    "weights": kind,
                    "what": name,
                    "seconds": seconds[name],
                    "times plain": seconds[name] / seconds["linear, cross_entropy"],
                    "peak MB": peak_bytes(work, asked.device) / 1e6,
                    "loss": f"{losses[name]:.5f}",
                }
                for name, work in works.items()
            ]
    publish("token_head", rows, asked.device)


if __name__ == "__main__":
    main()
