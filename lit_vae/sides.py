"""Which weights read and which write: the encoder's and the decoder's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from lit_vae.batch import Batch
from lit_vae.draws import FromPrior
from lit_vae.noise import IndexedNoise

if TYPE_CHECKING:
    from lit_vae.vae import LitVAE

Side = Literal["encoder", "decoder"]


@dataclass(frozen=True)
class Sides:
    """Names of a model's parameters by what needs them.

    What both need, such as an embedding table that is shared, is on neither side.

    Args:
        encoder: What log p(x, z) does not depend on.
        decoder: What log p(x, z) depends on, and what is read of x before any z is drawn does not.
    """

    encoder: frozenset[str]
    decoder: frozenset[str]

    def of(self, side: Side) -> frozenset[str]:
        """The names of a side."""
        return self.encoder if side == "encoder" else self.decoder


def sides(vae: LitVAE, batch: Batch) -> Sides:
    """The sides of a model, found by differentiation.

    Args:
        vae: The model.
        batch: Any examples.
    """
    names, weights = zip(*vae.named_parameters(), strict=True)

    def needed(outputs: Iterable[Tensor]) -> frozenset[str]:
        total = torch.stack([output.sum() for output in outputs if output.requires_grad]).sum()
        gradients = torch.autograd.grad(total, weights, allow_unused=True)
        return frozenset(name for name, gradient in zip(names, gradients, strict=True) if gradient is not None)

    with vae.evaluating(), torch.enable_grad():
        batch = batch.to(vae.device)
        features = vae.head.embed(batch)
        reading = needed(tensors(vae.backbone.bottom_up(features, vae.head.position_mask(batch.mask))))
        distribution, latents = vae.generate(features.shape[:-1], FromPrior(), IndexedNoise(batch.index))
        writing = needed([distribution.log_prob(batch.x), *(latent.log_p for latent in latents)])
    return Sides(frozenset(names) - writing, writing - reading)


def tensors(context: Any) -> Iterator[Tensor]:
    """All tensors in what a bottom-up pass returned."""
    if isinstance(context, Tensor):
        yield context
    elif isinstance(context, list | tuple):
        for part in context:
            yield from tensors(part)
    elif isinstance(context, dict):
        yield from tensors(list(context.values()))
    elif hasattr(context, "__dict__"):
        yield from tensors(list(vars(context).values()))
