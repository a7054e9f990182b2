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
    """One seed of 63 bits out of several integers, so that different keys, however near, give unrelated streams.

    Args:
        key: Integers from 0 to 2^64 - 1. A key and the same key with zeros after it are different keys.
    """
    # numpy pads short keys with zeros and spreads a large integer over as many words as it takes: (1,) and (1, 0), or
    # (2^32, 1) and (0, 1, 1), would be one key. Two words for each integer, and their number, keep them apart.
    words = [word for number in key for word in divmod(number, 2**32)]
    return int(np.random.SeedSequence([len(key), *words]).generate_state(1, np.uint64)[0] >> np.uint64(1))


class StreamNoise(Noise):
    """One stream for the whole batch.

    Args:
        key: Non-negative integers that name the stream: seed, rank, step, batch.
        device: Where the numbers are made. The same key gives other numbers on another kind of device, and a CPU's
            generator keeps 32 bits of the seed: among 10^5 keys about one pair gives the same numbers.
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
    """Put a counter-based generator at the start of one of its key's 2^64 streams, which lie 2^192 blocks apart.

    Args:
        bits: A Philox generator. The counter's four words are written with the least significant first.
        stream: Number of the stream, from 0, where a new generator starts.
    """
    state: Any = bits.state
    state["state"]["counter"] = np.array([0, 0, 0, stream], np.uint64)
    state.update(buffer_pos=len(state["buffer"]), has_uint32=0)  # discard what was drawn ahead in the previous stream
    bits.state = state


class IndexedNoise(Noise):
    """One stream per example and call, the same on every device and in every batch.

    A call with more positions gives the numbers of a call with fewer, followed by more; later calls are not affected.
    So the noise of a text does not depend on how far its batch is padded. The numbers of a call are those of the Philox
    generator whose key is seed + 2^64 index and whose counter starts at 2^192 times the number of calls before it.

    Args:
        index: Each example's number, [B], int64, >= 0.
        seed: Selects one of the evaluation's streams, >= 0.

    Raises:
        ValueError: If ``seed`` is negative.

    Source:
        Counter-based generator: Salmon et al., 2011, Parallel random numbers: as easy as 1, 2, 3,
        https://doi.org/10.1145/2063384.2063405 (Philox, as numpy has it).
    """

    def __init__(self, index: Tensor, seed: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"the seed of an evaluation must be >= 0, got {seed}: change --seed")
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
