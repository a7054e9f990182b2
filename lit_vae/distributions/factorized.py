"""Pictures whose symbols are independent of one another given the features."""

import math
from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lit_vae.decoding import Decoding
from lit_vae.distributions.base import SymbolDistribution
from lit_vae.distributions.choice import choose, temper
from lit_vae.distributions.grid import Grid, widest_float
from lit_vae.distributions.precision import at_least_float32
from lit_vae.integers import refuse_other_than_integers
from lit_vae.noise import Noise


class FactorizedPixels(SymbolDistribution):
    """p(x) = prod p(x_chw) of pictures [C, H, W], each factor a table of masses.

    A temperature divides the log-masses.

    Args:
        batch: Number of examples, B.
        event_shape: (C, H, W).
        num_values: Grey levels.
        mask: Observed symbols, [B, C, H, W], bool; None for all.
    """

    def __init__(self, batch: int, event_shape: tuple[int, ...], num_values: int, mask: Tensor | None) -> None:
        super().__init__(batch, event_shape)
        self.grid = Grid(num_values)
        self.mask = mask

    @abstractmethod
    def log_mass(self, codes: Tensor) -> Tensor:
        """Log-mass of each symbol, [B, C, H, W], nats, from int64 codes."""

    @abstractmethod
    def table(self) -> Tensor:
        """Log-mass of every grey level, [B, C, H, W, num_values], nats."""

    def log_prob(self, value: Tensor) -> Tensor:
        refuse_other_than_integers(value, "a picture")
        return self._total(self.log_mass(value.long()))

    def draw(self, decoding: Decoding, noise: Noise) -> Tensor:
        temperature = decoding.temperature_alone
        if temperature == 0:
            return self.mode
        levels = choose(temper(self.table(), temperature), noise.uniform(self.batch_shape + self.event_shape))
        return levels.to(self.grid.dtype)

    @property
    def mode(self) -> Tensor:
        """The heaviest grey level of each symbol, [B, C, H, W], integer."""
        return self.table().argmax(-1).to(self.grid.dtype)

    @property
    def mean(self) -> Tensor:
        """Expected grey level of each symbol, [B, C, H, W], float."""
        table = self.table()
        return (table.exp() * torch.arange(self.grid.num_values, device=table.device)).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy of each example, [B], nats; only symbols under the mask count."""
        table = self.table()
        return self._total(-torch.xlogy(table.exp(), table.exp()).sum(-1))

    def _total(self, nats: Tensor) -> Tensor:
        """Sum of nats [B, C, H, W] over what is observed, [B]."""
        if self.mask is not None:
            nats = nats.masked_fill(~self.mask, 0.0)
        return nats.flatten(1).sum(1)


class CategoricalPixels(FactorizedPixels):
    """Each symbol one of num_values classes.

    Args:
        logits: Unnormalised log-masses, [B, H, W, C * num_values], channel-major.
        num_values: Grey levels.
        mask: Observed symbols, [B, C, H, W], bool; None for all.
    """

    def __init__(self, logits: Tensor, num_values: int, mask: Tensor | None = None) -> None:
        logits = at_least_float32(logits).unflatten(-1, (-1, num_values)).movedim(-2, 1)
        super().__init__(len(logits), tuple(logits.shape[1:-1]), num_values, mask)
        self._table = logits.log_softmax(-1)

    def log_mass(self, codes: Tensor) -> Tensor:
        return self._table.gather(-1, codes.unsqueeze(-1)).squeeze(-1)

    def table(self) -> Tensor:
        return self._table


class BernoulliPixels(FactorizedPixels):
    """Each symbol 0 or 1.

    Args:
        logits: Log-odds of a 1, [B, H, W, C].
        mask: Observed symbols, [B, C, H, W], bool; None for all.
    """

    def __init__(self, logits: Tensor, mask: Tensor | None = None) -> None:
        self._logits = at_least_float32(logits).movedim(-1, 1)
        super().__init__(len(logits), tuple(self._logits.shape[1:]), 2, mask)

    def log_mass(self, codes: Tensor) -> Tensor:
        return logsigmoid(torch.where(codes == 1, self._logits, -self._logits))

    def table(self) -> Tensor:
        return logsigmoid(torch.stack([-self._logits, self._logits], -1))


class BetaBinomialPixels(FactorizedPixels):
    """Each symbol the number of successes in num_values - 1 trials whose chance is drawn from a beta distribution.

    Args:
        shapes: Logs of the beta's two parameters, taken into [-15, 8], where log-gamma keeps its digits,
            [B, H, W, 2 * C], channel-major.
        num_values: Grey levels.
        mask: Observed symbols, [B, C, H, W], bool; None for all.
    """

    def __init__(self, shapes: Tensor, num_values: int, mask: Tensor | None = None) -> None:
        shapes = at_least_float32(shapes).unflatten(-1, (-1, 2)).movedim(-2, 1)
        super().__init__(len(shapes), tuple(shapes.shape[1:-1]), num_values, mask)
        self._shapes = shapes
        self._up, self._down = shapes.to(widest_float(shapes.device)).clamp(-15.0, 8.0).exp().unbind(-1)

    def log_mass(self, codes: Tensor) -> Tensor:
        return self._log_mass(codes, self._up, self._down)

    def table(self) -> Tensor:
        levels = torch.arange(self.grid.num_values, device=self._shapes.device)
        return self._log_mass(levels, self._up.unsqueeze(-1), self._down.unsqueeze(-1))

    def _log_mass(self, codes: Tensor, up: Tensor, down: Tensor) -> Tensor:
        top = self.grid.num_values - 1
        ones = codes.to(up.dtype)
        zeros = top - ones
        choices = math.lgamma(top + 1) - torch.lgamma(ones + 1) - torch.lgamma(zeros + 1)
        chances = torch.lgamma(up + ones) + torch.lgamma(down + zeros) - torch.lgamma(up + down + top)
        unit = torch.lgamma(up + down) - torch.lgamma(up) - torch.lgamma(down)
        return (choices + chances + unit).to(self._shapes.dtype)
