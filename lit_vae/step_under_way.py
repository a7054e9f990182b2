"""An optimizer step that is under way: what a checkpoint must hold of it, and whether one can."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import distributed

from lit_vae.notices import notice
from lit_vae.processes import together
from lit_vae.whole_step import WholeStep

KEY = "step_under_way"
"""In a checkpoint that was written between the batches of one step: what each process has accumulated."""


class StepUnderWay:
    """What the batches of an optimizer step that are done have left, between two of them.

    Args:
        module: Whose gradients are accumulated.
        whole_step: The divisors of the batches that are done.
    """

    def __init__(self, module: LightningModule, whole_step: WholeStep) -> None:
        self._module = module
        self._whole_step = whole_step
        self._loaded: list[dict[str, Any]] | None = None
        self._begun = False
        self._versions: list[int] = []
        self._updating = False

    # ---- where training is ----

    def batch_begins(self) -> None:
        """Told when the next batch is about to change what the model holds."""
        self._begun = self._whole_step.under_way
        self._versions = self._buffer_versions()
        self._updating = False

    def update_begins(self) -> None:
        """Told when the optimizer is about to change the weights."""
        self._updating = True

    def can_be_saved_alone(self) -> bool:
        """Whether training would go on exactly from what this process alone saves now.

        Not where what broke off left half an update, a part of a gradient or of running statistics; nor between the
        batches of one step where other processes have accumulated gradients, too.
        """
        if self._in_batch():  # it is done again; so of it nothing may be left
            return not (self._updating or self._begun) and self._versions == self._buffer_versions()
        return not (self._whole_step.under_way and together())

    def _in_batch(self) -> bool:
        batches: Any = self._module.trainer.fit_loop.epoch_loop.batch_progress.current
        return bool(batches.started > batches.processed)

    def _buffer_versions(self) -> list[int]:
        return [buffer._version for buffer in self._module.buffers()]

    # ---- checkpoints ----

    def save(self, checkpoint: dict[str, Any], trainer: Trainer) -> None:
        """Add what is accumulated, of all processes, which save together; nothing between two steps.

        Args:
            checkpoint: Its contents, to be changed.
            trainer: Whose strategy says where gradients are.
        """
        if not self._whole_step.under_way or self._in_batch():
            return
        if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
            notice(
                f"a checkpoint is written in the middle of an optimizer step, and {type(trainer.strategy).__name__} "
                f"does not let the gradients that are accumulated be saved: a run that is resumed from it leaves out "
                f"{len(self._whole_step.divisors)} batches. Let trainer.val_check_interval and the intervals of "
                f"checkpoints be multiples of trainer.accumulate_grad_batches"
            )
            return
        gradients = {
            name: weight.grad.detach().cpu()
            for name, weight in self._module.named_parameters()
            if weight.grad is not None
        }
        own = {"gradients": gradients, "divisors": [divisor.cpu() for divisor in self._whole_step.divisors]}
        everyones: list[Any] = [own]
        if together():
            everyones = [None] * distributed.get_world_size()
            distributed.all_gather_object(everyones, own)
        checkpoint[KEY] = everyones

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Remember what a checkpoint holds of a step; see :meth:`go_on`."""
        self._loaded = checkpoint.get(KEY)

    def forget(self) -> None:
        """Begin a training that is not resumed."""
        self._loaded = None

    def go_on(self) -> None:
        """Begin training between two steps, or where the checkpoint was written that has been loaded."""
        self._whole_step.begin()
        if self._loaded is None:
            return
        own = self._loaded[distributed.get_rank() if together() else 0]
        self._loaded = None
        for name, weight in self._module.named_parameters():
            gradient = own["gradients"].get(name)
            weight.grad = None if gradient is None else torch.empty_like(weight).copy_(gradient)
        self._whole_step.divisors = [divisor.to(self._module.device) for divisor in own["divisors"]]
