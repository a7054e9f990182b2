"""Names that the reference systems share: pairs of theirs and ours."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

Pairs = Iterable[tuple[str, str]]
"""Names in a reference's state dict, and what they are in :class:`lit_vae.LitVAE`'s."""


def affine(reference: str, ours: str) -> Iterator[tuple[str, str]]:
    """Names of a convolution's, a linear map's or a batch norm's parameters."""
    for kind in ("weight", "bias"):
        yield f"{reference}.{kind}", f"{ours}.{kind}"


def cell(references: Sequence[str], ours: str) -> Iterator[tuple[str, str]]:
    """Names of a bottleneck's parameters, from those of its four convolutions in the reference."""
    for reference, name in zip(references, ("narrow", "first", "second", "widen"), strict=True):
        yield from affine(reference, f"{ours}.{name}")


def head_order(components: int) -> Tensor:
    """Which of the references' output channels each channel of a mixture head is, for three colours, [10 components].

    Theirs: the logits, then for each colour means, scales and coefficients; ours: logits, means, scales, coefficients.

    Args:
        components: Of the mixture.
    """
    slots = components + torch.arange(9 * components).view(3, 3, components)
    return torch.cat([torch.arange(components), slots.transpose(0, 1).flatten()])
