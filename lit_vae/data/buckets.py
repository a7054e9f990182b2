"""Batches of examples of nearly one length, so that little is spent on padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from lightning.pytorch import Trainer
from torch.utils.data import DistributedSampler

from lit_vae.batch import Batch
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.place import place_of, seed_of_run

POOL = 1 << 20
"""Examples that are sorted together. More than one pool bounds the memory, whatever the size of the corpus."""
CHUNK = 1 << 12
"""Neighbouring examples that fall into one pool: a pool reads a mapped file in stretches."""


class BucketSampler(DistributedSampler[Batch]):
    """The batches of a process in training, from where the trainer is: each a list of examples of nearly one length.

    An epoch is a function of the run's seed and the epoch's number. All processes have equally many batches, and every
    example is seen once: batches are filled as evenly as can be, rather than the last one left out or filled with
    repeats. At each step the batches of all processes are neighbours in length, and together they are what one process
    with as many times the batch size would see.

    Args:
        dataset: Tells the lengths.
        trainer: Says how many processes share the work, and which this is; None for a process alone, whose epochs are
            counted by ``set_epoch``.
        batch_size: Most examples of a batch.
        pool: Examples that are sorted together.
        chunk: Neighbouring examples that fall into one pool.
    """

    def __init__(
        self, dataset: SymbolDataset, trainer: Trainer | None, batch_size: int, pool: int = POOL, chunk: int = CHUNK
    ) -> None:
        world, rank = (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)
        super().__init__(dataset, world, rank, shuffle=True, seed=seed_of_run())
        self._trainer = trainer
        self._lengths = dataset.lengths
        self._chunk = chunk
        total = max(len(dataset), world)  # fewer examples than processes are repeated
        pools = -(-total // pool)
        self._edges = [number * total // pools for number in range(pools + 1)]
        sizes = np.diff(self._edges)
        # A step has an example for each process at least, and at most batch_size for each.
        self._steps = [max(1, min(-(-size // (batch_size * world)), size // world)) for size in sizes.tolist()]

    def __len__(self) -> int:
        """Number of batches of each process."""
        return sum(self._steps)

    def __iter__(self) -> Iterator[list[int]]:  # type: ignore[override] # torch's sampler gives examples
        done = 0
        if self._trainer is not None:
            self.epoch, done = place_of(self._trainer, len(self))
        self.dataset.set_epoch(self.seed, self.epoch)  # type: ignore[attr-defined] # torch knows any data set
        for number, steps in enumerate(self._steps):
            if done < steps:
                yield from self._batches(number, done)
            done = max(0, done - steps)

    def _batches(self, number: int, done: int) -> Iterator[list[int]]:
        """This process's batches of a pool, but for those that are done."""
        random = np.random.default_rng([self.seed, self.epoch, number])
        examples = random.permutation(self._examples(number))
        examples = examples[self._lengths(examples).argsort(kind="stable")]
        steps = np.array_split(examples, self._steps[number])
        order = random.permutation(len(steps))
        turns = random.integers(self.num_replicas, size=len(steps))  # no process always has the longest
        for step, turn in zip(order[done:], turns[done:], strict=True):
            share = (self.rank + turn) % self.num_replicas
            yield np.array_split(steps[step], self.num_replicas)[share].tolist()

    def _examples(self, number: int) -> np.ndarray:
        """The examples of a pool: a stretch of all chunks in the epoch's order."""
        size = len(self.dataset)  # type: ignore[arg-type] # torch knows data sets without a length
        first, last = self._edges[number], self._edges[number + 1]
        chunks = np.random.default_rng([self.seed, self.epoch]).permutation(-(-size // self._chunk))
        starts = chunks * self._chunk
        stops = np.minimum(starts + self._chunk, size)
        ends = (stops - starts).cumsum()
        begins = ends - (stops - starts)
        parts = [
            np.arange(max(start, start + first - begin), min(stop, start + last - begin))
            for start, stop, begin, end in zip(starts, stops, begins, ends, strict=True)
            if begin < last and end > first
        ]
        return np.resize(np.concatenate(parts), last - first)
