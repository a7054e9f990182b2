"""Pixels as mixtures of discretized Cauchy distributions."""

from lit_vae.distributions.families import StudentT
from lit_vae.heads.pixel_mixture import MixturePixelHead


class CauchyPixelHead(MixturePixelHead):
    """Each pixel a mixture of discretized Cauchy distributions, whose tails forgive any outlier."""

    family = StudentT(1)
