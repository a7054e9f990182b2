"""The ways to draw z at a latent layer, all on the one seam of a top-down pass."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_vae.distributions import Gaussian, Posterior
from lit_vae.latents import Draw, Layer

Temperature = float | Mapping[str, float]
"""What a prior's standard deviation is multiplied by: one number, or one for each layer that is named.

A key is a layer's name (``4x4.0``), or what the names of several begin with before the dot (``4x4``: all layers of that
resolution); ``others`` is for layers that no key names, 1 unless given.
"""

OTHERS = "others"


def temperature_of(layer: Layer, temperature: Temperature) -> float:
    """The temperature of one layer."""
    if not isinstance(temperature, Mapping):
        return temperature
    names = (layer.name, group_of(layer), OTHERS)
    return next((temperature[name] for name in names if name in temperature), 1.0)


def group_of(layer: Layer) -> str:
    """What a layer shares its name with up to the dot: its resolution."""
    return layer.name.partition(".")[0]


def check_temperature(temperature: Temperature, layers: Sequence[Layer]) -> None:
    """Refuse temperatures of layers that a model does not have.

    Args:
        temperature: One number, or one for each layer that is named.
        layers: The model's latent layers.

    Raises:
        ValueError: If a key names none of them.
    """
    if isinstance(temperature, Mapping):
        groups = list(dict.fromkeys(map(group_of, layers)))
        for name in temperature.keys() - {OTHERS, *groups, *(layer.name for layer in layers)}:
            misses = difflib.get_close_matches(name, [*groups, OTHERS], n=2, cutoff=0.4)
            near = f"; near misses: {', '.join(misses)}" if misses else ""
            raise ValueError(
                f"--temperature names '{name}', but the latent layers are {', '.join(groups)}{near} "
                f"('{OTHERS}' is for all that are not named)"
            )


def from_posterior(prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
    """z ~ q(z | x): training, and every estimate of the bound."""
    assert posterior is not None, "a draw from the posterior follows a bottom-up pass"
    return posterior.push(noise)


def posterior_mean(prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
    """The mean of q(z | x): reconstruction."""
    assert posterior is not None, "a draw from the posterior follows a bottom-up pass"
    # Not a view of the posterior's parameters, but laid out in memory as a draw is: convolutions round by it.
    return posterior.mean.clone()


@dataclass(frozen=True)
class FromPrior:
    """z ~ p(z) with its standard deviation multiplied by a temperature: generation.

    Args:
        temperature: 1 samples the model; below 1 trades variety for typical examples; 0 is the mean. One number, or
            one for each layer or resolution that is named: see :data:`Temperature`.

    Raises:
        ValueError: If a temperature is negative.
    """

    temperature: Temperature = 1.0

    def __post_init__(self) -> None:
        given = self.temperature
        for number in given.values() if isinstance(given, Mapping) else [given]:
            if not number >= 0:
                raise ValueError(f"a prior's temperature counts up from 0, got {number}: change --temperature")

    def __call__(self, prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
        """z, [B, *S, z]."""
        return prior.tempered(temperature_of(layer, self.temperature)).push(noise)


@dataclass(frozen=True)
class Given:
    """z as it was written down: a replay.

    Args:
        z: Of each layer, top first, each [B, *S, z].
    """

    z: Sequence[Tensor]

    def __call__(self, prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
        """z, [B, *S, z], laid out in memory as a draw is: convolutions round by it."""
        return torch.empty_like(prior.loc).copy_(self.z[layer.index])


@dataclass(frozen=True)
class GivenNoise:
    """z at a place relative to its prior, wherever the layers above have put that prior.

    Args:
        noise: Standard deviations from the prior's mean, of each layer, top first, each [B, *S, z].
    """

    noise: Sequence[Tensor]

    def __call__(self, prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
        """z, [B, *S, z]."""
        return prior.push(self.noise[layer.index].to(prior.loc))


@dataclass(frozen=True)
class TopLayers:
    """One draw for the layers at the top, another for the rest.

    Args:
        count: Layers at the top.
        top: How z is drawn there.
        rest: How it is drawn below: from the prior, which has seen the layers above.

    Source:
        Child, 2021, https://arxiv.org/abs/2011.10650: what each resolution decides of a picture.
    """

    count: int
    top: Draw = posterior_mean
    rest: Draw = FromPrior()

    def __call__(self, prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
        """z, [B, *S, z]."""
        draw = self.top if layer.index < self.count else self.rest
        return draw(prior, posterior, noise, layer)


@dataclass(frozen=True)
class Masked:
    """One draw for the latent variables under a mask, another for the others.

    Args:
        mask: Of each layer, top first, bool, broadcastable to [B, *S, z].
        kept: How z is drawn where the mask is True.
        others: How it is drawn elsewhere.

    Source:
        Hazami et al., 2022, https://arxiv.org/abs/2203.13751: few latent variables suffice to reconstruct.
    """

    mask: Sequence[Tensor]
    kept: Draw = posterior_mean
    others: Draw = FromPrior(0.0)

    def __call__(self, prior: Gaussian, posterior: Posterior | None, noise: Tensor, layer: Layer) -> Tensor:
        """z, [B, *S, z]."""
        mask = self.mask[layer.index].to(prior.loc.device)
        return torch.where(mask, self.kept(prior, posterior, noise, layer), self.others(prior, posterior, noise, layer))


def most_informative(information: Sequence[Tensor], part: float) -> list[Tensor]:
    """A mask of the latent variables that carry most, for :class:`Masked`, [z] of each layer.

    A variable is one channel of a layer, at all its positions.

    Args:
        information: Mean KL of each variable over a set of examples, [z] of each layer, nats.
        part: Of all variables of all layers, in (0, 1]; rounded up to a whole number of them.

    Raises:
        ValueError: If ``part`` is out of its range.
    """
    if not 0 < part <= 1:
        raise ValueError(f"--keep is the part of the latent variables that is kept, above 0 and at most 1, got {part}")
    if not information:
        return []
    pooled = torch.cat([nats.flatten() for nats in information])
    kept = torch.zeros_like(pooled, dtype=torch.bool)
    kept[pooled.topk(math.ceil(part * len(pooled) - 1e-9)).indices] = True
    return list(kept.split([nats.numel() for nats in information]))
