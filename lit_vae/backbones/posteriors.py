"""How a posterior is made of what an encoder read: a slot of every backbone with latent vectors."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from lit_vae.backbones.convolutions import shrunk, soft_gaussian
from lit_vae.backbones.standardize import Standardize
from lit_vae.distributions import Gaussian, at_least_float32
from lit_vae.processes import together


class PosteriorLayer(nn.Module, ABC):
    """q(z | x) from features of x, for a z whose prior is standard normal.

    A backbone fills ``width`` and ``latent``; a config gives the other arguments of the class that it names under
    ``model.backbone.init_args.posterior``.

    Args:
        width: Channels of the features.
        latent: Numbers of z.
    """

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.latent = latent

    @abstractmethod
    def forward(self, features: Tensor, mask: Tensor | None = None) -> Gaussian:
        """The posterior, elements [B, *S, latent].

        Args:
            features: [B, *S, width].
            mask: Positions that exist, [B, *S], bool; None for all. What is made of the others counts nothing.
        """


MakePosterior = Callable[[int, int], PosteriorLayer]
"""A posterior layer from ``width`` and ``latent``: its class, or the class with its other arguments given."""


class GaussianPosterior(PosteriorLayer):
    """A linear map to means and log-scales, close to the prior at first.

    Args:
        width: Linked to the backbone.
        latent: Linked to the backbone.
        bias: Whether the map has one; He et al. (2019) have none.
    """

    def __init__(self, width: int, latent: int, bias: bool = True) -> None:
        super().__init__(width, latent)
        self.project = shrunk(nn.Linear(width, 2 * latent, bias), 0.1)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Gaussian:
        return soft_gaussian(self.project(features))


class BatchNormPosterior(PosteriorLayer):
    """Means whose spread over the batch is fixed, so that the posterior cannot collapse to the prior.

    Each mean has standard deviation ``gamma`` over a batch, around a learned centre; then the batch's average KL is at
    least latent gamma^2 / 2 nats. Evaluation divides by running statistics: from the first step on, those of training.

    Args:
        width: Linked to the backbone.
        latent: Linked to the backbone.
        gamma: Standard deviation of each mean; 0.5 to 0.7 in the paper.
        momentum: Weight of the newest batch in the running statistics; until there have been 1 / momentum, all batches
            weigh the same.

    Raises:
        ValueError: If ``gamma`` is not positive or ``momentum`` not in (0, 1]; in training, if there is but one
            example.

    Source:
        Zhu et al., 2020, https://arxiv.org/abs/2004.12585.
    """

    couples_examples = True
    """What one example gives depends on the others of its batch."""

    def __init__(self, width: int, latent: int, gamma: float = 0.6, momentum: float = 0.1) -> None:
        super().__init__(width, latent)
        if not gamma > 0 or not 0 < momentum <= 1:
            raise ValueError(
                f"of model.backbone.init_args.posterior.init_args gamma must be > 0 and momentum in (0, 1], "
                f"got {gamma} and {momentum}"
            )
        self.gamma = gamma
        self.project = shrunk(nn.Linear(width, 2 * latent), 0.1)
        # Means start close together: torch's usual eps would be most of their variance, and undercut the bound.
        self.norm = Standardize(latent, momentum, eps=1e-10)
        self.centre = nn.Parameter(torch.zeros(latent))

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Gaussian:
        gaussian = soft_gaussian(self.project(features))
        loc = gaussian.loc.flatten(0, -2) if mask is None else gaussian.loc[mask]
        if self.training and not together() and len(loc) < 2:
            raise ValueError(
                "BatchNormPosterior measures the spread of the means over a batch, and this one has a single example: "
                "raise data.init_args.batch_size to 2 or more"
            )
        standard = self.norm(loc)
        if mask is None:
            standard = standard.view_as(gaussian.loc)
        else:
            standard = standard.new_zeros(gaussian.loc.shape).masked_scatter(mask.unsqueeze(-1), standard)
        return Gaussian(self.gamma * standard + self.centre, gaussian.log_scale)


class DeltaPosterior(PosteriorLayer):
    """Means and scales bounded so that every dimension of every example costs at least ``delta`` nats.

    The variance lies between the two roots of ln v - v + 1 + 2 delta = 0, and the mean is
    sqrt(1 + 2 delta + ln v - v + relu(m)): the KL of a dimension is delta + relu(m) / 2. A committed rate is not yet
    information: a decoder may ignore it.

    Args:
        width: Linked to the backbone.
        latent: Linked to the backbone.
        delta: Least KL of a dimension, nats; 0.1 to 0.15 where published.

    Raises:
        ValueError: If ``delta`` is not positive.

    Source:
        Razavi et al., 2019, https://arxiv.org/abs/1901.03416; the independent normal, with a standard-normal prior.
    """

    def __init__(self, width: int, latent: int, delta: float = 0.1) -> None:
        super().__init__(width, latent)
        if not delta > 0:
            raise ValueError(f"model.backbone.init_args.posterior.init_args.delta is above 0, got {delta}")
        self.delta = delta
        self.least, self.most = variance_bounds(delta)
        self.project = shrunk(nn.Linear(width, 2 * latent), 0.1)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Gaussian:
        shift, raw = at_least_float32(self.project(features)).chunk(2, -1)
        variance = self.least + (self.most - self.least) * raw.sigmoid()
        room = 1 + 2 * self.delta + variance.log() - variance
        # The root's slope is infinite at 0, which rounding may even undercut at either end of the variance.
        square = relu(room) + relu(shift) + 1e-6
        return Gaussian(square.sqrt(), 0.5 * variance.log())


def variance_bounds(delta: float) -> tuple[float, float]:
    """The two variances at which a normal of mean 0 is ``delta`` nats from the standard normal, below and above 1."""

    def missing(variance: float) -> float:
        return math.log(variance) - variance + 1 + 2 * delta

    def root(negative: float, positive: float) -> float:
        for _ in range(100):
            middle = 0.5 * (negative + positive)
            negative, positive = (negative, middle) if missing(middle) > 0 else (middle, positive)
        return positive

    return root(math.exp(-2 * delta - 1), 1.0), root(2 * (2 * delta + 2), 1.0)
