"""Where training is: which epoch, and how many of its batches are done."""

import os

from lightning.pytorch import Trainer

from lit_vae.noise import stream_seed


def place_of(trainer: Trainer, batches: int) -> tuple[int, int]:
    """The epoch, and how many of its batches are done.

    That follows from the number of batches that the trainer has worked off, which every checkpoint holds. Lightning's
    count of epochs does not do: resuming at the end of an epoch makes it skip one.

    Args:
        trainer: The trainer; ``limit_train_batches`` may cut its epochs short.
        batches: Of a whole epoch.
    """
    worked_off = trainer.fit_loop.epoch_loop.batch_progress.total.processed  # type: ignore[attr-defined]
    return divmod(worked_off, max(1, limited(trainer, batches)))


def limited(trainer: Trainer, batches: int) -> int:
    """How many of an epoch's batches a trainer takes."""
    limit = trainer.limit_train_batches
    return min(batches, limit) if isinstance(limit, int) else int(batches * (1.0 if limit is None else limit))


def seed_of_run() -> int:
    """The seed of all epochs of a run.

    Samplers add an epoch's number to it: the run's own seed would share its epochs with the next seed's.
    """
    return stream_seed(int(os.environ.get("PL_GLOBAL_SEED", "0")))
