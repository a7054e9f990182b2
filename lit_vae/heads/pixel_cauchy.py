"""Pixels as mixtures of discretized Cauchy distributions."""

from lit_vae.distributions.families import StudentT
from lit_vae.heads.pixel_mixture import MixturePixelHead


class CauchyPixelHead(MixturePixelHead):
    """Each pixel a mixture of discretized Cauchy distributions, whose tails forgive any outlier."""

    data = "pixels, 2 to 65536 grey levels"
    numbers = "K (1 + 2 C + C (C - 1) / 2)"
    when = "outliers: the heaviest tails"

    family = StudentT(1)
