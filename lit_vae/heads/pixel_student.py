"""Pixels as mixtures of discretized Student's t distributions."""

from collections.abc import Sequence
from typing import Any

from lit_vae.distributions.families import StudentT
from lit_vae.heads.pixel_mixture import MixturePixelHead


class StudentTPixelHead(MixturePixelHead):
    """Each pixel a mixture of discretized t distributions, between the Cauchy (1 degree) and the normal (many).

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: grey levels of each channel.
        shape: Linked to the data: (C, H, W).
        degrees: Of freedom, a whole number from 1 to 30.
        options: As of the other mixtures: components, autoregressive, scale and so on.

    Raises:
        ValueError: If an argument is out of its range.
    """

    data = "pixels, 2 to 65536 grey levels"
    numbers = "K (1 + 2 C + C (C - 1) / 2)"
    when = "outliers, with tails to choose"

    def __init__(
        self, width: int, num_values: int, shape: Sequence[int | None], degrees: int = 4, **options: Any
    ) -> None:
        super().__init__(width, num_values, shape, **options)
        self._family = StudentT(degrees)

    @property
    def family(self) -> StudentT:
        """What is cut into bins."""
        return self._family
