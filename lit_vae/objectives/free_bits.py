"""Nats of KL that cost nothing, so that the optimizer has no reason to give them up."""

from typing import Literal

import torch
from torch import Tensor, nn

from lit_vae.latents import Latent
from lit_vae.processes import summed_where_present

KEY = "model.objective.init_args.free_bits.init_args"


class FreeBits(nn.Module):
    """A floor under the KL: below it a group of latent variables earns no gradient and counts as the floor.

    softened KL = sum over groups of max(nats, KL of the group)

    Args:
        nats: The floor, nats per group.
        group: What the floor is under: ``total``, all layers; ``layer``; ``channel``, each number of a position, summed
            over the positions of its layer; ``dimension``, each number of each position. With one latent vector
            ``total`` is ``layer``, and ``channel`` is ``dimension``.
        of: What is held against the floor: the mean of the ``batch`` (in training of all processes; of each batch by
            itself where several are accumulated) or each ``example``.

    Raises:
        ValueError: If ``nats`` is negative, or there is no such ``group`` or ``of``.

    Source:
        Kingma et al., 2016, https://arxiv.org/abs/1606.04934 (``channel``, ``batch``). Li et al., 2019,
        https://arxiv.org/abs/1909.00868 (``dimension``, ``example``; their 8 nats over 32 dimensions are 0.25 here).
    """

    def __init__(
        self,
        nats: float,
        group: Literal["total", "layer", "channel", "dimension"] = "layer",
        of: Literal["batch", "example"] = "batch",
    ) -> None:
        super().__init__()
        if not nats >= 0:
            raise ValueError(f"{KEY}.nats counts up from 0, got {nats}")
        if group not in ("total", "layer", "channel", "dimension"):
            raise ValueError(f"{KEY}.group is 'total', 'layer', 'channel' or 'dimension', got {group!r}")
        if of not in ("batch", "example"):
            raise ValueError(f"{KEY}.of is 'batch' or 'example', got {of!r}")
        self.nats = nats
        self.group = group
        self.of = of

    @property
    def couples_examples(self) -> bool:
        """Whether what one example costs depends on the others of its batch."""
        return self.of == "batch" and self.nats > 0

    def forward(self, latents: list[Latent], kls: Tensor) -> Tensor:
        """Softened KL of each layer, [layers, B], nats; its mean over the batch is that of the formula.

        Args:
            latents: The latent layers, top first.
            kls: Their KLs, [layers, B], nats.
        """
        if not latents:
            return kls
        if self.group == "total":
            # The layers share the floor: each keeps a row of its own, which a balance may then weigh.
            return torch.where(self._above(kls.sum(0)), kls, self.nats / len(kls))
        if self.group == "layer":
            return torch.where(self._above(kls.T), kls.T, self.nats).T
        soften = self._by_channel if self.group == "channel" else self._by_dimension
        return torch.stack([soften(latent) for latent in latents])

    def _by_channel(self, latent: Latent) -> Tensor:
        elements = latent.kl_elements * present(latent)
        channels = elements.reshape(len(elements), -1, elements.shape[-1]).sum(1)
        return torch.where(self._above(channels), channels, self.nats).sum(1)

    def _by_dimension(self, latent: Latent) -> Tensor:
        elements = latent.kl_elements
        return latent.total(torch.where(self._above(elements, present(latent)), elements, self.nats))

    def _above(self, kl: Tensor, counted: Tensor | float = 1.0) -> Tensor:
        """Which groups are above the floor, broadcastable to ``kl``.

        Args:
            kl: Of each group, [B, *].
            counted: Which of them there are, 1 or 0, broadcastable to ``kl``.
        """
        over = kl.detach() - self.nats
        if self.of == "example":
            return over > 0
        over = (over * counted).sum(0)
        # the longest texts of two processes may differ, and with them the dimensions that there are
        return (summed_where_present(over) if self.training else over) > 0


def present(latent: Latent) -> Tensor | float:
    """1 at the positions that a layer has and 0 elsewhere, broadcastable to [B, *S, z]."""
    return 1.0 if latent.mask is None else latent.mask.unsqueeze(-1).to(latent.z.dtype)
