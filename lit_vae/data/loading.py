"""Loading that is a function of seed and epoch, so that a run resumes in the middle of one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from lightning.fabric.utilities.seed import pl_worker_init_function
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, DistributedSampler

from lit_vae.batch import Batch
from lit_vae.data.buckets import BucketSampler
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.place import place_of, seed_of_run


def as_is(batch: Any) -> Any:
    """Collates nothing: the data set already made the batch."""
    return batch


def begin_worker(number: int) -> None:
    """Have a worker leave Ctrl-C, which a terminal sends to all processes, to the one that trains.

    Args:
        number: Of the worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pl_worker_init_function(number)  # as Lightning does where a loader has no such function of its own


class ResumableSampler(DistributedSampler[Batch]):
    """torch's sampler of a process's share, in training from where the trainer is.

    An evaluation of examples that differ in length takes those of nearly one length together, in the same order always:
    no number depends on the order, and little is spent on padding.

    Args:
        dataset: What is sampled.
        trainer: Says how many processes share the work, and which this is; None for a process alone, whose epochs are
            counted by ``set_epoch``.
        batch_size: Examples a batch.
        shuffle: For training: each epoch has an order of its own.
    """

    def __init__(self, dataset: SymbolDataset, trainer: Trainer | None, batch_size: int, shuffle: bool) -> None:
        world, rank = (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)
        super().__init__(dataset, world, rank, shuffle, seed_of_run())
        self._trainer = trainer if shuffle else None
        self._batch_size = batch_size
        self._order = by_length(dataset, batch_size * world) if dataset.uneven and not shuffle else None

    def __iter__(self) -> Iterator[int]:  # type: ignore[override]
        batches = 0
        if self._trainer is not None:
            self.epoch, batches = place_of(self._trainer, max(1, len(self) // self._batch_size))
        self.dataset.set_epoch(self.seed, self.epoch)  # type: ignore[attr-defined] # torch knows any data set
        indices: Iterator[int] = super().__iter__()  # type: ignore[assignment] # it gives indices
        if self._order is not None:
            return (int(self._order[index]) for index in indices)
        return islice(indices, batches * self._batch_size, None)


def by_length(dataset: SymbolDataset, size: int) -> np.ndarray:
    """All examples in blocks of nearly one length, the blocks in mixed order, a last one that is not full in the end.

    Mixed, so that a part of the batches is no selection by length.

    Args:
        dataset: Tells the lengths.
        size: Of a block: the batches of all processes at a step.
    """
    order = dataset.lengths(np.arange(len(dataset))).argsort(kind="stable")
    whole = len(order) // size * size
    blocks = np.random.default_rng(0).permutation(order[:whole].reshape(-1, size))
    return np.concatenate([blocks.ravel(), order[whole:]])


class ResumableLoader(DataLoader[Batch]):
    """A loader that goes on where the trainer is.

    Args:
        dataset: What is loaded.
        trainer: As :class:`ResumableSampler`.
        batch_size: Examples a batch; at most, where they differ in length.
        shuffle: For training: each epoch has an order of its own. Examples that differ in length are batched with their
            like, by :class:`~lit_vae.data.buckets.BucketSampler`; of others, a last batch that is not full is left out.
        num_workers: Processes that load ahead; 0 loads in this one.
    """

    def __init__(
        self, dataset: SymbolDataset, trainer: Trainer | None, batch_size: int, shuffle: bool, num_workers: int
    ) -> None:
        buckets = shuffle and dataset.uneven
        sampler = (
            BucketSampler(dataset, trainer, batch_size)
            if buckets
            else ResumableSampler(dataset, trainer, batch_size, shuffle)
        )
        super().__init__(
            dataset,
            batch_size=None if buckets else batch_size,  # None: the sampler makes the batches
            sampler=sampler,
            drop_last=shuffle and not buckets and len(sampler) >= batch_size,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            collate_fn=as_is,
            worker_init_fn=begin_worker,
        )

    def state_dict(self) -> dict[str, int]:
        """Nothing: all there is to know is the trainer's. That it can be asked tells Lightning that a run resumes."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Nothing to do."""
