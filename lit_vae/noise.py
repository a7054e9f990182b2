"""Where randomness comes from: handed in as tensors, so that a draw is a pure function.

Training reads a stream that is a function of seed, rank and step, so that resuming needs no state. An evaluation
reads one stream per example, so that its number depends on neither batch size nor process count.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Noise(ABC):
    """A source of float32 noise, one tensor a call."""

    @abstractmethod
    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard-normal numbers, [*shape]; the first axis counts examples."""

    @abstractmethod
    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers strictly between 0 and 1, [*shape]; the first axis counts examples."""


def open_interval(uniform: Tensor) -> Tensor:
    """Numbers of [0, 1) moved off the 0, by half the spacing of 24 bits."""
    return uniform.clamp(min=2.0**-25)


def stream_seed(*key: int) -> int:
    """One seed out of several non-negative integers, so that near keys give unrelated streams."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


class StreamNoise(Noise):
    """One stream for the whole batch.

    Args:
        key: Non-negative integers that name the stream: seed, rank, step, batch.
        device: Where the numbers are made. The same key gives other numbers on another kind of device.
    """

    def __init__(self, *key: int, device: torch.device | str = "cpu") -> None:
        self._generator = torch.Generator(device).manual_seed(stream_seed(*key))

    # Lightning's half-precision settings change torch's default type, in which a uniform number may round to 1.

    def normal(self, shape: Sequence[int]) -> Tensor:
        device = self._generator.device
        return torch.randn(*shape, generator=self._generator, device=device, dtype=torch.float32)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        device = self._generator.device
        return open_interval(torch.rand(*shape, generator=self._generator, device=device, dtype=torch.float32))


def move(bits: np.random.BitGenerator, stream: int) -> None:
    """Put a counter-based generator at the start of another stream of its key, 2^192 blocks from the one before.

    Args:
        bits: A Philox generator.
        stream: Which.
    """
    state: Any = bits.state
    state["state"]["counter"] = np.array([0, 0, 0, stream], np.uint64)
    state.update(buffer_pos=len(state["buffer"]), has_uint32=0)  # what was drawn ahead is of the stream before
    bits.state = state


class IndexedNoise(Noise):
    """One stream per example and call, the same on every device and in every batch.

    A call with more positions gives the numbers of one with fewer, and then more; later calls do not notice. So the
    noise of a text does not depend on how far its batch is padded.

    Args:
        index: Each example's number, [B], int64.
        seed: Which of the evaluation's streams; counts up from 0.

    Raises:
        ValueError: If ``seed`` is negative.

    Source:
        Counter-based generator: Salmon et al., 2011, Parallel random numbers: as easy as 1, 2, 3,
        https://doi.org/10.1145/2063384.2063405 (Philox, as numpy has it).
    """

    def __init__(self, index: Tensor, seed: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"a seed counts up from 0, got {seed}: change --seed")
        self._device = index.device
        self._calls = 0
        self._generators = [
            np.random.Generator(np.random.Philox(key=np.array([seed, example], np.uint64)))
            for example in index.tolist()
        ]

    def _fill(self, shape: Sequence[int], fill: Callable[[np.random.Generator, np.ndarray], object]) -> Tensor:
        if len(self._generators) != shape[0]:
            raise ValueError(f"this noise is for {len(self._generators)} examples, got a shape of {list(shape)}")
        numbers = np.empty((shape[0], math.prod(shape[1:])), np.float32)
        for generator, row in zip(self._generators, numbers, strict=True):
            if self._calls:
                move(generator.bit_generator, self._calls)
            fill(generator, row)
        self._calls += 1
        return torch.from_numpy(numbers.reshape(tuple(shape))).to(self._device)

    def normal(self, shape: Sequence[int]) -> Tensor:
        return self._fill(shape, lambda generator, row: generator.standard_normal(dtype=np.float32, out=row))

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return open_interval(self._fill(shape, lambda generator, row: generator.random(dtype=np.float32, out=row)))
