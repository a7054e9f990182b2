"""Loading that is a function of seed and epoch, so that a run resumes in the middle of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, DistributedSampler

from lit_vae.batch import Batch
from lit_vae.data.dataset import SymbolDataset
from lit_vae.noise import stream_seed


def as_is(batch: Any) -> Any:
    """Collates nothing: the data set already made the batch."""
    return batch


class ResumableSampler(DistributedSampler[Batch]):
    """torch's sampler of a process's share, in training from where the trainer is.

    That follows from the number of batches that the trainer has worked off, which every checkpoint holds. Lightning's
    count of epochs does not do: resuming at the end of an epoch makes it skip one.

    Args:
        dataset: What is sampled.
        trainer: Says how many processes share the work, and which this is; None for a process alone, whose epochs are
            counted by ``set_epoch``.
        batch_size: Examples a batch.
        shuffle: For training: each epoch has an order of its own.
    """

    def __init__(self, dataset: SymbolDataset, trainer: Trainer | None, batch_size: int, shuffle: bool) -> None:
        world, rank = (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)
        # torch shuffles by seed + epoch: a seed as it is would share its epochs with the next one
        seed = stream_seed(int(os.environ.get("PL_GLOBAL_SEED", "0")))
        super().__init__(dataset, world, rank, shuffle, seed)
        self._trainer = trainer if shuffle else None
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[int]:  # type: ignore[override]
        batches = 0
        if self._trainer is not None:
            worked_off = self._trainer.fit_loop.epoch_loop.batch_progress.total.processed  # type: ignore[attr-defined]
            self.epoch, batches = divmod(worked_off, self._batches_an_epoch(self._trainer.limit_train_batches))
        self.dataset.set_epoch(self.seed, self.epoch)  # type: ignore[attr-defined] # torch knows any data set
        return islice(super().__iter__(), batches * self._batch_size, None)  # type: ignore[arg-type] # gives indices

    def _batches_an_epoch(self, limit: float | None) -> int:
        batches = max(1, len(self) // self._batch_size)
        limited = min(batches, limit) if isinstance(limit, int) else int(batches * (1.0 if limit is None else limit))
        return max(1, limited)


class ResumableLoader(DataLoader[Batch]):
    """A loader that goes on where the trainer is.

    Args:
        dataset: What is loaded.
        trainer: As :class:`ResumableSampler`.
        batch_size: Examples a batch.
        shuffle: For training: each epoch has an order of its own, and a last batch that is not full is left out.
        num_workers: Processes that load ahead; 0 loads in this one.
    """

    def __init__(
        self, dataset: SymbolDataset, trainer: Trainer | None, batch_size: int, shuffle: bool, num_workers: int
    ) -> None:
        sampler = ResumableSampler(dataset, trainer, batch_size, shuffle)
        super().__init__(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=shuffle and len(sampler) >= batch_size,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            collate_fn=as_is,
        )

    def state_dict(self) -> dict[str, int]:
        """Nothing: all there is to know is the trainer's. That it can be asked tells Lightning that a run resumes."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Nothing to do."""
