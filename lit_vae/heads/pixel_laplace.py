"""Pixels as mixtures of discretized Laplace distributions."""

from lit_vae.distributions.families import Laplace
from lit_vae.heads.pixel_mixture import MixturePixelHead


class LaplacePixelHead(MixturePixelHead):
    """Each pixel a mixture of discretized Laplace distributions: a peak, and the logistic's tails.

    With ``components: 1`` and a fixed scale, what users mean by an L1 loss.
    """

    data = "pixels, 2 to 65536 grey levels"
    numbers = "K (1 + 2 C + C (C - 1) / 2)"
    when = "sharp peaks: flat regions with edges"

    family = Laplace()
