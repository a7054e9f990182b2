"""A posterior that a flow bends after the draw."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.distributions import Distribution

from lit_vae.distributions.gaussian import Gaussian


class VolumePreserving(Protocol):
    """An invertible map of latent variables whose Jacobian has determinant 1."""

    def __call__(self, z: Tensor) -> Tensor:
        """The image, same shape, [B, *S, z]."""

    def inverse(self, z: Tensor) -> Tensor:
        """What has the image, same shape, [B, *S, z]."""


class FlowedGaussian(Distribution):
    """What becomes of independent normals under a map that preserves volume.

    There is no closed form for its KL: a :class:`~lit_vae.latents.Latent` reports log q - log p at a draw.

    Args:
        base: Before the flow, elements [B, *S, z].
        flow: Applied to a draw of ``base``.
    """

    arg_constraints = {}  # noqa: RUF012 - torch's name for "validates nothing here"

    def __init__(self, base: Gaussian, flow: VolumePreserving) -> None:
        super().__init__(base.batch_shape, validate_args=False)
        self.base = base
        self.flow = flow
        self._drawn: tuple[Tensor, Tensor] | None = None
        self._carried: list[tuple[Tensor, Tensor]] = []

    @property
    def mean(self) -> Tensor:
        """Image of the mean, [B, *S, z]: the mode, which stands in for a mean that has no closed form."""
        return self.mode

    @property
    def mode(self) -> Tensor:
        """Mode, [B, *S, z]: a map that preserves volume carries it along."""
        return self._carry(self.base.mode)

    @property
    def scale(self) -> Tensor:
        """Standard deviation before the flow, [B, *S, z]."""
        return self.base.scale

    def push(self, noise: Tensor) -> Tensor:
        """Standard-normal noise carried to this distribution, [B, *S, z]; the same noise only once."""
        if self._drawn is None or self._drawn[0] is not noise:
            self._drawn = noise, self._carry(self.base.push(noise))
        return self._drawn[1]

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density before the flow, [B, *S, z], nats; of its sum over an example, that is also the density after.

        At a draw and at the mode it costs nothing; anywhere else the flow is inverted.
        """
        known = next((z for image, z in self._carried if image is value), None)
        return self.base.log_prob(self.flow.inverse(value) if known is None else known)

    def _carry(self, z: Tensor) -> Tensor:
        image = self.flow(z)
        self._carried.append((image, z))
        return image


Posterior = Gaussian | FlowedGaussian
"""What a latent variable may be drawn from when an example is encoded."""
