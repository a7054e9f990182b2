"""Where the numbers that describe a mixture lie in a head's raw output."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class MixtureParts:
    """The numbers that describe the mixture of each pixel.

    Args:
        logits: Unnormalised log-weights, [*, K]; None for one component.
        means: [*, C, K].
        scales: Unconstrained, [*, C, K]; None where they do not come per pixel.
        coefficients: Unconstrained, [*, C (C - 1) / 2, K]; None where channels do not depend on one another.
    """

    logits: Tensor | None
    means: Tensor
    scales: Tensor | None
    coefficients: Tensor | None


@dataclass(frozen=True)
class MixtureLayout:
    """Where the parts lie along the last axis of a head's raw output: logits, means, scales, coefficients.

    Each part is channel-major; a coefficient is that of channel i on an earlier channel j, in the order (1, 0), (2, 0),
    (2, 1), (3, 0) and so on.

    Args:
        channels: C.
        components: K.
        scale_per_pixel: Whether the output holds the scales.
        autoregressive: Whether it holds coefficients.
    """

    channels: int
    components: int
    scale_per_pixel: bool = True
    autoregressive: bool = True

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """How many numbers each part takes."""
        terms = self.channels * self.components
        return (
            self.components if self.components > 1 else 0,
            terms,
            terms if self.scale_per_pixel else 0,
            terms * (self.channels - 1) // 2 if self.autoregressive else 0,
        )

    @property
    def size(self) -> int:
        """P, how many numbers describe a pixel."""
        return sum(self.sizes)

    def split(self, raw: Tensor) -> MixtureParts:
        """The parts as views.

        Args:
            raw: [*, P].
        """
        logits, means, scales, coefficients = raw.split(self.sizes, -1)
        return MixtureParts(
            logits if self.components > 1 else None,
            means.unflatten(-1, (self.channels, self.components)),
            scales.unflatten(-1, (self.channels, self.components)) if self.scale_per_pixel else None,
            coefficients.unflatten(-1, (-1, self.components)) if coefficients.shape[-1] > 0 else None,
        )


def coefficients_of(channel: int) -> slice:
    """Where a channel's coefficients lie among all."""
    return slice(channel * (channel - 1) // 2, channel * (channel + 1) // 2)
