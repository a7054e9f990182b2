"""Pictures whose every symbol is normal about a mean: squared error as the likelihood it is."""

from collections.abc import Callable

import torch
from torch import Tensor

from lit_vae.decoding import Decoding
from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.families import Normal
from lit_vae.distributions.grid import Grid
from lit_vae.distributions.mixture import DiscretizedMixture
from lit_vae.distributions.mixture_layout import MixtureLayout
from lit_vae.distributions.precision import at_least_float32
from lit_vae.integers import refuse_other_than_integers
from lit_vae.noise import Noise
from lit_vae.processes import summed


class L2Pixels(SymbolDistribution):
    """p(x) = prod mass of a discretized normal, one standard deviation for all symbols.

    Args:
        means: On the scale where the grey levels span [-1, 1], [B, H, W, C].
        num_values: Grey levels.
        log_scale: Log of the standard deviation on that scale, [].
        mask: Observed symbols, [B, C, H, W], bool; None for all.
        refit: Where given, :meth:`log_prob` takes its log-scale, [], from the mean squared error, [], of the symbols it
            scores instead, in all processes that train together.
    """

    def __init__(
        self,
        means: Tensor,
        num_values: int,
        log_scale: Tensor,
        mask: Tensor | None = None,
        refit: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._means = at_least_float32(means)
        super().__init__(len(means), tuple(means.movedim(-1, 1).shape[1:]))
        self.grid = Grid(num_values)
        self.mask = mask
        self._refit = refit
        self._normal = self._with(log_scale)

    def _with(self, log_scale: Tensor) -> DiscretizedMixture:
        layout = MixtureLayout(self._means.shape[-1], 1, scale_per_pixel=False, autoregressive=False)
        return DiscretizedMixture(
            self._means, layout, Normal(), self.grid.num_values, log_scale=log_scale, mask=self.mask
        )

    @property
    def picture(self) -> Tensor:
        """The means rounded and clipped to the grid, [B, C, H, W], integer: a draw at temperature 0."""
        return self.grid.nearest(self._means).movedim(-1, 1).to(self.grid.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        refuse_other_than_integers(value, "a picture")
        if self._refit is None:
            return self._normal.log_prob(value)
        errors = (self.grid.scaled(value).to(self._means.dtype) - self._means.movedim(-1, 1)).square()
        observed = torch.ones_like(errors) if self.mask is None else self.mask.to(errors.dtype)
        total, count = summed(torch.stack([(errors * observed).sum(), observed.sum()]))
        return self._with(self._refit(total / count.clamp(min=1.0))).log_prob(value)

    def draw(self, decoding: Decoding, noise: Noise) -> Tensor:
        return self._normal.draw(decoding, noise)

    @property
    def mode(self) -> Tensor:
        """The heaviest grey level of each symbol, [B, C, H, W], integer."""
        return self._normal.mode

    @property
    def mean(self) -> Tensor:
        """Expected grey level of each symbol, [B, C, H, W], float."""
        return self._normal.mean

    def entropy(self) -> Tensor:
        """Entropy of each example, [B], nats; only symbols under the mask count."""
        return self._normal.entropy()
