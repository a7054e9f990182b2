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
    """torch's sampler of a process's share, which can start in the middle once.

    Args:
        dataset: What is sampled.
        trainer: Says how many processes share the work, and which this is; None for a process alone.
        shuffle: Whether each epoch has an order of its own.
    """

    def __init__(self, dataset: SymbolDataset, trainer: Trainer | None, shuffle: bool) -> None:
        world, rank = (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)
        # torch shuffles by seed + epoch: a seed as it is would share its epochs with the next one
        seed = stream_seed(int(os.environ.get("PL_GLOBAL_SEED", "0")))
        super().__init__(dataset, world, rank, shuffle, seed)
        self.set_epoch(0 if trainer is None else trainer.current_epoch)
        self.start = 0

    def set_epoch(self, epoch: int) -> None:
        """Another epoch, another order; the data set is told, too."""
        super().set_epoch(epoch)
        self.dataset.set_epoch(self.seed, epoch)  # type: ignore[attr-defined] # torch knows any data set

    def __iter__(self) -> Iterator[int]:  # type: ignore[override]
        start, self.start = self.start, 0
        return islice(super().__iter__(), start, None)  # type: ignore[arg-type] # torch says items, gives indices


class ResumableLoader(DataLoader[Batch]):
    """A loader whose state is how many batches of the epoch the trainer has worked off.

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
        self._trainer = trainer
        self._sampler = ResumableSampler(dataset, trainer, shuffle)
        super().__init__(
            dataset,
            batch_size=batch_size,
            sampler=self._sampler,
            drop_last=shuffle and len(self._sampler) >= batch_size,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            collate_fn=as_is,
        )

    def state_dict(self) -> dict[str, int]:
        """How far the epoch is."""
        assert self._trainer is not None, "Lightning asks a loader it runs for its state"
        return {"batches": self._trainer.fit_loop.epoch_loop.batch_progress.current.processed}  # type: ignore[attr-defined]

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Start the next epoch where the saved one was."""
        self._sampler.start = state["batches"] * (self.batch_size or 1)
