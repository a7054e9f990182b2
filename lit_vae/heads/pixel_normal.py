"""Pixels as mixtures of discretized normals."""

from lit_vae.distributions.families import Normal
from lit_vae.heads.pixel_mixture import MixturePixelHead


class NormalPixelHead(MixturePixelHead):
    """Each pixel a mixture of discretized normals, whose tails are lighter than the logistic's.

    With ``components: 1`` the plain discretized normal.
    """

    family = Normal()
