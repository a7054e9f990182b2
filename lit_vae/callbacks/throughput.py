"""How fast a model trains."""

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lit_vae.batch import Batch
from lit_vae.callbacks.keep_last import KeepLast
from lit_vae.callbacks.updates import is_logged
from lit_vae.vae import LitVAE


class Throughput(Callback):
    """Logs how many examples and symbols a second train, every ``trainer.log_every_n_steps`` steps.

    ``train/examples_per_second``, and ``train/tokens_per_second`` or whatever the head calls its symbols: of all
    processes together, since the last time. Loading a batch counts, except for the first one of a run and the first one
    after a validation; validations, what is saved and shown after them, and checkpoints in between do not.

    Args:
        keep_last: Writes the checkpoints in between; None where nothing does.
    """

    def __init__(self, keep_last: KeepLast | None = None) -> None:
        self._keep_last = keep_last
        self._begin(None)
        self._step = 0

    def _begin(self, now: float | None) -> None:
        """Start counting; None stands for the start of the next batch."""
        self._seconds = 0.0
        self._since = now
        self._saving = self._saved()
        self._examples = 0
        self._symbols: Tensor | int = 0

    def _saved(self) -> float:
        return 0.0 if self._keep_last is None else self._keep_last.seconds

    def _count(self, now: float) -> None:
        """Count the time since the last batch was begun to be counted, but for what was saved in it."""
        assert self._since is not None, "a batch has just ended"
        self._seconds += now - self._since - (self._saved() - self._saving)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(None)
        self._step = trainer.global_step

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        if self._since is None:
            self._since, self._saving = time.perf_counter(), self._saved()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self._examples += len(batch)
        self._symbols = self._symbols + batch.counts.sum()
        if trainer.global_step == self._step:  # gradients are accumulated
            return
        self._step = trainer.global_step
        if is_logged(self._step, trainer):
            assert isinstance(pl_module, LitVAE)
            self._log(trainer, pl_module.head.symbols)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._since is not None:
            int(self._symbols)  # waits for the GPU, so that its training is not taken for validation
            self._count(time.perf_counter())
            self._since = None

    def _log(self, trainer: Trainer, name: str) -> None:
        symbols = torch.as_tensor(self._symbols)
        counted = torch.stack([symbols, torch.tensor(self._examples).to(symbols)])
        all_symbols, all_examples = trainer.strategy.reduce(counted, reduce_op="sum").tolist()  # waits for the GPU
        now = time.perf_counter()
        self._count(now)
        seconds = self._seconds
        self._begin(now)
        rates = {
            "train/examples_per_second": all_examples / seconds,
            f"train/{name}_per_second": all_symbols / seconds,
        }
        for logger in trainer.loggers:
            logger.log_metrics(rates, self._step)
