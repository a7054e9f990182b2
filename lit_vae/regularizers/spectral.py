"""Layers kept from stretching what passes through them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from lit_vae.backbones.nvae_cells import NormedConv2d
from lit_vae.distributions import at_least_float32
from lit_vae.regularizers.base import Pass, Regularizer

if TYPE_CHECKING:
    from lit_vae.vae import LitVAE

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
FIRST = 10
"""How many times more iterations there are before the first optimizer step."""


class Spectral(Regularizer):
    """The largest singular value of each layer's weights, and the largest scale of each batch norm, summed.

    A convolution's weights are a matrix of its output channels by all else; where their lengths are learned apart,
    those that are applied count. The singular values come from power iteration, batched over matrices of one shape,
    which goes on from one step to the next and is saved with the model.

    Args:
        weight: Multiplies both terms, nats per example; NVAE's lambda.
        first_weight: What multiplies them while the KL has weight 0; as that rises to 1 it falls to ``weight``, in a
            line of its logarithm. Unset, ``weight`` throughout.
        iterations: Of the power method at each step; ten times as many at the first.
        layers: Whose singular values count: ``convolutions``, as in NVAE, or ``all``, the linear layers, too.

    Raises:
        ValueError: If a number is out of its range, there is no such ``layers``, or the model has none.

    Source:
        Vahdat & Kautz, 2020, NVAE, https://arxiv.org/abs/2007.03898, after Yoshida & Miyato, 2017,
        https://arxiv.org/abs/1705.10941.
    """

    def __init__(
        self,
        weight: float = 1e-2,
        first_weight: float | None = None,
        iterations: int = 4,
        layers: Literal["convolutions", "all"] = "convolutions",
    ) -> None:
        super().__init__()
        if not (weight > 0 and (first_weight is None or first_weight > 0)) or iterations < 1:
            raise ValueError(
                f"of Spectral, weight and first_weight are above 0 and iterations counts up from 1, got {weight}, "
                f"{first_weight} and {iterations}"
            )
        if layers not in ("convolutions", "all"):
            raise ValueError(f"of Spectral, layers is 'convolutions' or 'all', got {layers!r}")
        self.weight = weight
        self.first_weight = weight if first_weight is None else first_weight
        self.iterations = iterations
        self.kinds = CONVOLUTIONS if layers == "convolutions" else (*CONVOLUTIONS, nn.Linear)

    def setup(self, vae: LitVAE) -> None:
        found = stacks(vae, self.kinds)
        if not found:
            raise ValueError("Spectral of model.regularizers finds no convolutions in the model: give it layers: all")
        generator = torch.Generator().manual_seed(0)
        for (rows, columns), weights in found.items():
            vectors = torch.randn(len(weights), rows, 1, generator=generator, device="cpu")
            self.register_buffer(name(rows, columns), normalize(vectors, dim=1).to(weights[0]().device))

    def forward(self, vae: LitVAE, seen: Pass) -> dict[str, Tensor]:
        weight = self._weight(seen.terms.kl_weight)
        iterations = self.iterations * (FIRST if seen.step == 0 else 1)
        zero = seen.terms.loss.new_zeros(())
        with torch.autocast(seen.terms.loss.device.type, enabled=False):
            values = [self._largest(shape, weights, iterations) for shape, weights in stacks(vae, self.kinds).items()]
            scales = [at_least_float32(scale).abs().max() for scale in norm_scales(vae)]
        return {"spectral": weight * sum(values, zero), "batch_norm": weight * sum(scales, zero)}

    def _weight(self, kl_weight: Tensor | float) -> Tensor:
        risen = torch.as_tensor(kl_weight).clamp(0, 1)
        return torch.exp(math.log(self.first_weight) * (1 - risen) + math.log(self.weight) * risen)

    def _largest(self, shape: tuple[int, int], weights: list[Callable[[], Tensor]], iterations: int) -> Tensor:
        """Sum of the largest singular values of matrices of one shape, []."""
        matrices = torch.stack([at_least_float32(weight()).flatten(1) for weight in weights])
        buffer = self.get_buffer(name(*shape))
        with torch.no_grad():
            left = buffer.to(matrices.dtype, copy=True)
            for _ in range(iterations):
                left = normalize(matrices @ normalize(matrices.mT @ left, dim=1), dim=1)
            buffer.copy_(left)
        return torch.linalg.vector_norm(matrices.mT @ left, dim=1).sum()


def name(rows: int, columns: int) -> str:
    """Of the buffer with the left singular vectors of matrices of a shape."""
    return f"left_{rows}x{columns}"


def stacks(vae: LitVAE, kinds: tuple[type[nn.Module], ...]) -> dict[tuple[int, int], list[Callable[[], Tensor]]]:
    """What gives the weights of layers of some kinds, by the shape of their matrix."""
    found: dict[tuple[int, int], list[Callable[[], Tensor]]] = defaultdict(list)
    for part in (vae.backbone, vae.head):
        for layer in part.modules():
            if isinstance(layer, kinds):
                give = layer.normed if isinstance(layer, NormedConv2d) else partial(layer.get_parameter, "weight")
                weight = layer.get_parameter("weight")
                found[len(weight), weight[0].numel()].append(give)
    return found


def norm_scales(vae: LitVAE) -> Iterator[Tensor]:
    """The scales of batch norms, [channels]."""
    for part in (vae.backbone, vae.head):
        for module in part.modules():
            if isinstance(module, NORMS) and module.weight is not None:
                yield module.weight
