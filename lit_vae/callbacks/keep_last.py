"""A checkpoint to resume from, written while a run goes on and whatever ends it."""

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.strategies import DDPStrategy

from lit_vae.commands import command
from lit_vae.notices import notice
from lit_vae.restarting import begin_validation_again
from lit_vae.vae import LitVAE

AGREE = 50
"""Optimizer steps after which processes that share a model agree whether it is time: asking at each would cost."""
DEAR = 0.05
"""Share of the training from which on the time that checkpoints take is said."""


class KeepLast(Checkpoint):
    """Writes ``checkpoints/last.ckpt`` in the run directory, from which a run goes on, whatever ended it.

    After the first optimizer step, so that a run which is killed early can be resumed and a disk that is too small is
    noticed at once; then every so many minutes; at the end of each validation; and when training ends, is interrupted
    or fails. It is never of broken weights, and always of the end of an optimizer step: where that is the last one of
    an epoch, of the end of the epoch, and where a validation follows, also of its start, for the case that the
    validation does not end. A number of steps or a time limit that ends an epoch early does not count it as done.

    Of several processes the first goes by its clock, and writes by itself a model that is whole in each of them. One
    that is spread over several is written by all; not after an interruption, which may have caught them in the
    middle of a step.

    Args:
        folder: Where it goes; None for ``checkpoints`` in the trainer's ``default_root_dir``, the run directory.
        minutes: Of training, without validations, between two of them; null for none by time.
        steps: Optimizer steps between two of them; null for none by steps.

    Raises:
        ValueError: If one of them is not above 0.
    """

    def __init__(self, folder: Path | None = None, minutes: float | None = 10.0, steps: int | None = None) -> None:
        for name, value in (("minutes", minutes), ("steps", steps)):
            if value is not None and not value > 0:
                raise ValueError(f"last.{name} must be > 0, or null for none, got {value}")
        self.minutes = minutes
        self.steps = steps
        self.seconds = 0.0
        """How long writing has taken in this process so far."""
        self.path = None if folder is None else folder / "last.ckpt"
        self._due = False
        self._begun_at: int | None = None
        self._saved_at: int | None = None
        self._step = 0
        self._trained = 0.0
        self._since: float | None = None
        self._said = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.path = self.path or Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"

    # ---- when ----

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begun_at = self._step = trainer.global_step
        self._saved_at, self._due = None, False
        self._trained, self._since = 0.0, time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        stepped, self._step = trainer.global_step != self._step, trainer.global_step
        if is_ending(trainer) or (stepped and self._is_time(trainer)):
            self._due = True
        if self._due and (stepped or is_ending(trainer)) and not is_more_to_come(trainer):
            self._save(trainer)

    def _is_time(self, trainer: Trainer) -> bool:
        """Whether a checkpoint is due at the end of this optimizer step, the same in all processes that write it."""
        if self._saved_at is None or (self.steps is not None and trainer.global_step - self._saved_at >= self.steps):
            return True
        if self.minutes is None:
            return False
        assert self._since is not None, "a batch has just ended"
        is_up = self._trained + time.monotonic() - self._since >= 60 * self.minutes
        if is_whole(trainer):
            return is_up
        if (trainer.global_step - self._saved_at) % AGREE:
            return False
        return trainer.strategy.reduce_boolean_decision(is_up and trainer.is_global_zero, all=False)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not is_validated(trainer) or self._since is None:
            return
        self._trained += time.monotonic() - self._since
        if self._due and not is_accumulating(trainer) and not is_ending(trainer):
            self._save(trainer, validated=False)
        self._since = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not is_validated(trainer):
            return
        self._since = time.monotonic()
        if is_accumulating(trainer) or is_end_of_epoch(trainer):
            self._due = True
        else:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._due and is_end_of_epoch(trainer):
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._begun_at is not None
        if max(self._begun_at, self._saved_at or 0) < trainer.global_step:
            self._save(trainer)
        self._begun_at = None
        trainer.strategy.barrier()  # none goes on before the file is there

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if trainer.is_global_zero and trainer.state.fn == "fit":
            self.rescue(trainer, exception)
            if isinstance(exception, KeyboardInterrupt):
                self.say("interrupted")

    def rescue(self, trainer: Trainer, exception: BaseException) -> None:
        """Write what can be after a failure or an interruption, once.

        Args:
            trainer: What is saved.
            exception: What ended it.
        """
        begun_at, self._begun_at = self._begun_at, None
        if begun_at is None or trainer.global_step <= begun_at or not is_whole(trainer):
            return
        vae = trainer.lightning_module
        if isinstance(vae, LitVAE) and not vae.step_under_way.can_be_saved_alone():
            if self.path is not None and self.path.exists():
                print(f"\n{self.path} stays as it was: a step that is broken off cannot be gone on with", flush=True)
            return
        try:
            self._write(trainer, validated=not trainer.validating)
        except FloatingPointError as error:  # the last one stays as it is
            if not isinstance(exception, FloatingPointError):
                print(f"\n{error}", flush=True)

    def say(self, what: str) -> None:
        """Say what ended the training, and how to go on."""
        how = "there is nothing to resume yet"
        if self.path is not None and self.path.exists():
            how = f"resume with: {command('fit', '--ckpt_path', self.path.parent.parent)}"
        print(f"\n{what}; {how}", flush=True)

    # ---- how ----

    def _save(self, trainer: Trainer, validated: bool = True) -> None:
        """Write it, by the processes that have to."""
        if trainer.strategy.root_device.type != "cpu":
            torch.accelerator.synchronize(trainer.strategy.root_device)  # its training is not what takes long
        begun = time.monotonic()
        if not is_whole(trainer):
            self._write(trainer, validated)
            trainer.strategy.barrier()
        elif trainer.is_global_zero:
            try:
                self._write(trainer, validated)
            except FloatingPointError:
                if trainer.world_size == 1:
                    raise
                return  # the processes find it together, and stop: one that stopped alone would keep the others waiting
        now = time.monotonic()
        self._due, self._saved_at = False, trainer.global_step
        self._trained, self._since = 0.0, now
        self.seconds += now - begun
        self._say_if_dear(now - begun)

    def _write(self, trainer: Trainer, validated: bool) -> None:
        """As ``trainer.save_checkpoint``, which would also wait for processes that may wait for this one.

        Args:
            trainer: What is saved.
            validated: Whether the validation in which this is, if it is in one, is over; otherwise it begins again.
        """
        assert self.path is not None
        checkpoint = trainer._checkpoint_connector.dump_checkpoint()
        if not validated:
            begin_validation_again(checkpoint)
        trainer.strategy.save_checkpoint(checkpoint, self.path)

    def _say_if_dear(self, seconds: float) -> None:
        if self.minutes is not None and seconds > DEAR * 60 * self.minutes and not self._said:
            self._said = True
            notice(
                f"writing {self.path} took {seconds:.0f} seconds, at least every {self.minutes:g} minutes: "
                f"raise last.minutes to write it less often"
            )


def is_whole(trainer: Trainer) -> bool:
    """Whether each process holds all that a checkpoint holds, so that one can write it alone."""
    shared = any(hasattr(optimizer, "consolidate_state_dict") for optimizer in trainer.optimizers)
    return trainer.world_size == 1 or (isinstance(trainer.strategy, DDPStrategy) and not shared)


def is_validated(trainer: Trainer) -> bool:
    """Whether a validation is one of a training, and no trial before it."""
    return trainer.state.fn == "fit" and not trainer.sanity_checking


def is_ending(trainer: Trainer) -> bool:
    """Whether training ends with this batch, though the epoch may have more."""
    stops = trainer.should_stop and trainer.fit_loop._can_stop_early
    return stops or trainer.global_step == trainer.max_steps


def is_end_of_epoch(trainer: Trainer) -> bool:
    """Whether this batch is the last of its epoch."""
    return trainer.fit_loop.epoch_loop._num_ready_batches_reached()


def is_accumulating(trainer: Trainer) -> bool:
    """Whether the optimizer's step needs more batches than this one."""
    return trainer.fit_loop.epoch_loop._should_accumulate()


def is_more_to_come(trainer: Trainer) -> bool:
    """Whether a validation follows on this batch, or the end of the epoch does."""
    loop = trainer.fit_loop
    assert loop._data_fetcher is not None
    return loop.epoch_loop._should_check_val_fx(loop._data_fetcher) or is_end_of_epoch(trainer)
