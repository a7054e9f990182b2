"""Pixels as mixtures of discretized normals."""

from lit_vae.distributions.families import Normal
from lit_vae.heads.pixel_mixture import MixturePixelHead


class NormalPixelHead(MixturePixelHead):
    """Each pixel a mixture of discretized normals, whose tails are lighter than the logistic's.

    With ``components: 1`` the plain discretized normal.
    """

    data = "pixels, 2 to 65536 grey levels"
    numbers = "K (1 + 2 C + C (C - 1) / 2)"
    when = "lighter tails than logistics; K = 1 for a plain Gaussian likelihood"

    family = Normal()
