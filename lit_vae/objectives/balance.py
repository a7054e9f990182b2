"""How the KL is shared out among the layers early in training, when those near the data would take it all."""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_vae.latents import Layer
from lit_vae.processes import mean_of_batch

KEY = "model.objective.init_args.balance.init_args"


class KLBalance(nn.Module, ABC):
    """A weight for the KL of each layer, 1 in the mean: a layer that has more of the KL is pressed harder.

    It goes by the mean of the batch: in training that of all processes, and of each batch by itself where several are
    accumulated.
    """

    couples_examples = True
    """What one example costs depends on the others of its batch."""

    def batch_mean(self, kls: Tensor) -> Tensor:
        """The mean over the examples, [layers], of KLs [layers, B]."""
        return mean_of_batch(kls) if self.training else kls.mean(1)

    @abstractmethod
    def forward(self, kls: Tensor, layers: Sequence[Layer], weight: Tensor, step: int) -> Tensor:
        """Weights, [layers], their mean 1; no gradient goes through them.

        Args:
            kls: KL of each layer of each example, [layers, B], nats, detached.
            layers: The layers, top first; at least one.
            weight: Of the whole KL at this step, [].
            step: Optimizer steps taken so far.
        """


class GammaBalance(KLBalance):
    """Efficient-VDVAE's: in proportion to a layer's KL per latent variable, for the first steps.

    Args:
        steps: The last optimizer step at which it acts; afterwards all weights are 1.

    Raises:
        ValueError: If ``steps`` is negative.

    Source:
        Hazami et al., 2022, https://arxiv.org/abs/2203.13751, after Vahdat et al., 2018,
        https://arxiv.org/abs/1802.04920.
    """

    def __init__(self, steps: int = 10_000) -> None:
        super().__init__()
        if steps < 0:
            raise ValueError(f"{KEY}.steps counts up from 0, got {steps}")
        self.steps = steps

    def forward(self, kls: Tensor, layers: Sequence[Layer], weight: Tensor, step: int) -> Tensor:
        if step > self.steps:
            return kls.new_ones(len(kls))
        sizes = kls.new_tensor([math.prod(layer.shape) for layer in layers])
        return with_mean_one(self.batch_mean(kls).abs() / sizes)


class SquareBalance(KLBalance):
    """NVAE's: in proportion to a layer's KL per position, and per layer of its size, while the KL is not in full.

    Where layers have H x W positions, the paper's "square" is that area; here S of any shape.

    Source:
        Vahdat & Kautz, 2020, https://arxiv.org/abs/2007.03898; a hundredth of a nat is added to each KL, as there.
    """

    def forward(self, kls: Tensor, layers: Sequence[Layer], weight: Tensor, step: int) -> Tensor:
        positions = [math.prod(layer.shape[:-1]) for layer in layers]
        alike = Counter(positions)
        expected = kls.new_tensor([count / alike[count] for count in positions])
        balanced = with_mean_one((self.batch_mean(kls.abs()) + 0.01) / expected)
        return torch.where(weight < 1, balanced, torch.ones_like(balanced))


def with_mean_one(shares: Tensor) -> Tensor:
    """Numbers >= 0 in the same proportions, [layers], their mean 1; all 1 if they are all 0."""
    mean = shares.mean()
    return torch.where(mean > 0, shares / mean, torch.ones_like(shares))
