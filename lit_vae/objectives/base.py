"""What every objective is: from a likelihood and latent layers to a loss, with the true bound beside it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lit_vae.latents import Latent


@dataclass(frozen=True)
class Terms:
    """The parts of one batch's bound.

    Args:
        loss: What is differentiated, [].
        distortion: -log p(x | z) of each example, [B], nats.
        kls: KL of each latent layer, top first, [layers, B], nats.
        kl_weight: What multiplies the KL in the loss at this step, [].
        total: What the loss divides a sum over the batch by: the number of its symbols, or of its examples, which None
            stands for. Training divides by that of the whole optimizer step: of all batches that are accumulated for
            it, in all processes.
    """

    loss: Tensor
    distortion: Tensor
    kls: Tensor
    kl_weight: Tensor | float = 1.0
    total: Tensor | int | None = None

    @property
    def rate(self) -> Tensor:
        """KL of all layers, [B], nats."""
        return self.kls.sum(0)

    @property
    def nelbo(self) -> Tensor:
        """The true bound, whatever softened the loss, [B], nats."""
        return self.distortion + self.rate

    @property
    def divisor(self) -> Tensor:
        """What the loss divides a sum over the batch by, []."""
        total = len(self.distortion) if self.total is None else self.total
        return torch.as_tensor(total, dtype=self.loss.dtype, device=self.loss.device)

    @property
    def nats(self) -> Tensor:
        """What is minimised, summed over the batch: the loss before it is divided, []."""
        return self.loss * self.divisor


def stack_kls(log_prob: Tensor, latents: list[Latent]) -> Tensor:
    """KL of each layer, [layers, B], nats; [0, B] for a model without latents.

    Args:
        log_prob: log p(x | z), [B]: says how many examples, and where they are, when there is no layer to ask.
        latents: The layers, top first.
    """
    return torch.stack([latent.kl for latent in latents]) if latents else log_prob.new_zeros(0, len(log_prob))


class Objective(nn.Module, ABC):
    """Turns a likelihood and latent layers into a loss."""

    @abstractmethod
    def forward(self, log_prob: Tensor, latents: list[Latent], counts: Tensor, step: int) -> Terms:
        """Loss and the parts of the bound.

        Args:
            log_prob: log p(x | z), [B], nats.
            latents: The latent layers, top first.
            counts: Observed symbols of each example, [B].
            step: Optimizer steps taken so far. Passed in, so that resuming needs no state here.
        """
