"""Randomness of data that looks different each time it is seen."""

import torch

from lit_vae.noise import StreamNoise


class Visits:
    """Noise of a batch that follows from the run's seed, the epoch and the batch, so that a run resumes.

    The epoch lies in shared memory: loader processes that outlive an epoch learn of the next.

    Args:
        purpose: Tells this noise apart from all other of the run; four letters.
    """

    def __init__(self, purpose: bytes) -> None:
        self._purpose = int.from_bytes(purpose)
        self._seed_and_epoch = torch.zeros(2, dtype=torch.int64).share_memory_()

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Told before each epoch."""
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))

    def noise(self, indices: list[int]) -> StreamNoise:
        """The noise of the batch of these examples, each of which is seen once in an epoch."""
        seed, epoch = self._seed_and_epoch.tolist()
        return StreamNoise(seed, self._purpose, epoch, indices[0])
