"""What a decoder head returns: a distribution over arrays of symbols."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from lit_vae.decoding import PLAIN, Decoding
from lit_vae.noise import Noise, StreamNoise


class SymbolDistribution(Distribution, ABC):
    """p(x) of each example of a batch: batch_shape [B], event_shape [*E], over integers in [0, num_values).

    A concrete one is a normalised probability mass function. Its parameters may come in bfloat16; its likelihood is
    computed in float32 or better.

    Args:
        batch: Number of examples, B.
        event_shape: Shape of one example, E.
    """

    arg_constraints = {}  # noqa: RUF012 - torch's name for "validates nothing here"

    def __init__(self, batch: int, event_shape: tuple[int, ...]) -> None:
        super().__init__(torch.Size([batch]), torch.Size(event_shape), validate_args=False)

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """log p(x) of each example, [B], nats, float32 or better; only symbols under the mask count.

        Args:
            value: Symbols, [B, *E], integer.
        """

    @abstractmethod
    def draw(self, decoding: Decoding, noise: Noise) -> Tensor:
        """Symbols drawn from the distribution, [B, *E], in the integer type of a :class:`~lit_vae.batch.Batch`.

        At temperature 0, what draws come to as the temperature falls to 0: the most typical symbols, without noise.
        """

    @property
    @abstractmethod
    def mode(self) -> Tensor:
        """The heaviest value of each symbol given those chosen before it, [B, *E], integer."""

    def sample(
        self,
        sample_shape: Sequence[int] = (),
        decoding: Decoding = PLAIN,
        noise: Noise | None = None,
    ) -> Tensor:
        """Independent draws, [*sample_shape, B, *E], integer.

        Args:
            sample_shape: How many; () for one without an axis of its own.
            decoding: Temperature and the like.
            noise: Where the randomness comes from; None takes a stream seeded by torch's global generator.
        """
        if noise is None:
            noise = StreamNoise(int(torch.randint(2**62, ()).item()))
        draws = [self.draw(decoding, noise) for _ in range(math.prod(sample_shape))]
        return torch.stack(draws).unflatten(0, tuple(sample_shape)) if sample_shape else draws[0]
