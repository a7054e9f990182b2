"""Pixels as mixtures of discretized logistics: the usual choice."""

from lit_vae.distributions.families import Logistic
from lit_vae.heads.pixel_mixture import MixturePixelHead


class LogisticPixelHead(MixturePixelHead):
    """Each pixel a mixture of discretized logistics; exact for any number of grey levels and channels.

    Source:
        Salimans et al., 2017, PixelCNN++, https://arxiv.org/abs/1701.05517.
    """

    data = "pixels, 2 to 65536 grey levels"
    numbers = "K (1 + 2 C + C (C - 1) / 2)"
    when = "the first choice for pictures"

    family = Logistic()
