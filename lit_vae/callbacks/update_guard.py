"""Leaves out the updates that would wreck a run: gradients that are not finite, or far longer than usual."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from lit_vae.callbacks.updates import gradient_norm, refuse_sharding, unscales
from lit_vae.finite import SHOWN, listed
from lit_vae.vae import LitVAE

SMALLEST = 0.1
"""Of the deviation, in which lengths that hardly vary would otherwise be outlying at any difference."""
WIDENING = 1.25
"""Of the deviation, by each length that it excludes."""


class Tolerance:
    """How long a gradient may be: a running mean and deviation of the logarithm of its length.

    A length within the limit enters both. One beyond it widens the deviation by a quarter instead, so that a lasting
    change is taken up whatever its size: after n in a row the limit is 1.25^n deviations away, which no finite number
    exceeds for long.

    Args:
        deviations: The limit above the mean.
        memory: Lengths that the mean and the deviation look back on. The first so many are all admitted.
    """

    def __init__(self, deviations: float, memory: int) -> None:
        self.deviations = deviations
        self.memory = memory
        self.mean = 0.0
        self.deviation = SMALLEST
        self.seen = 0

    def admits(self, length: float) -> bool:
        """Whether a length is finite and usual; learns from it."""
        if not math.isfinite(length):
            return False
        if length == 0:
            return True
        excess = math.log(length) - self.mean
        if self.seen >= self.memory and excess > self.deviations * self.deviation:
            self.deviation *= WIDENING
            return False
        weight = 1 / min(self.seen + 1, self.memory)
        self.mean += weight * excess
        self.deviation = max(SMALLEST, math.sqrt((1 - weight) * (self.deviation**2 + weight * excess**2)))
        self.seen += 1
        return True


class UpdateGuard(Callback):
    """Leaves out updates whose gradient is not finite or is outlying, and stops a run in which nothing else comes.

    What counts is the length (2-norm) of the whole gradient before it is clipped: outlying is one whose logarithm is
    more than some deviations above a running mean. The limit follows the run and gives way to a lasting change, so
    that it cannot lock up, as a fixed one does once every gradient exceeds it.

    An update that is left out changes no weight, no average of weights, nothing in the optimizer, no learning-rate
    schedule that goes by steps, and no buffer: what its batches brought to running statistics is taken back. It is a
    step all the same: it counts in ``max_steps`` and for the schedules of the objective, and the next one sees other
    data and other noise. All processes decide alike. In float16, gradients that overflow are left out here too, and
    lower the loss scale as ever. Logs ``train/skipped_updates``, counted since the start of the run. Costs one wait for
    the GPU at each step.

    Args:
        deviations: How far above the mean of the logarithm a length is outlying.
        memory: Updates that mean and deviation look back on. Before so many, only what is not finite is left out.
        budget: Updates left out in a row at which training stops, with what went wrong in the first of them.

    Raises:
        ValueError: If a number is out of range.

    Source:
        Child, 2021, https://arxiv.org/abs/2011.10650, leaves out gradients longer than a constant; here in the place
        of the constant.
    """

    def __init__(self, deviations: float = 6.0, memory: int = 100, budget: int = 50) -> None:
        if not deviations > 0 or memory < 2 or budget < 1:
            raise ValueError(
                f"trainer.callbacks: UpdateGuard's deviations must be above 0, memory at least 2 and budget at least "
                f"1, got {deviations}, {memory} and {budget}"
            )
        self.budget = budget
        self._tolerance = Tolerance(deviations, memory)
        self._skipped = 0
        self._in_a_row = 0
        self._diagnosis = ""
        self._buffers: list[str] = []
        # the buffers before the first batch of the update that is under way
        self._before: dict[str, Tensor] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        refuse_sharding(trainer, self)
        self._before = {}  # a checkpoint, which is loaded next, may hold that of a step under way

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        state = pl_module.state_dict(keep_vars=True)
        weights = dict(pl_module.named_parameters(remove_duplicate=False))
        self._buffers = [name for name, value in state.items() if isinstance(value, Tensor) and name not in weights]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if not self._before:
            self._before = {name: pl_module.get_buffer(name).clone() for name in self._buffers}

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        assert isinstance(pl_module, LitVAE)
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is not None and unscales(optimizer):
            scaler.unscale_(optimizer)  # a fused optimizer would have done it in its step
        length = self._length(trainer, optimizer)
        if self._tolerance.admits(length):
            self._in_a_row = 0
        else:
            self._leave_out(trainer, pl_module, optimizer, length)
        self._before = {}
        pl_module.update_left_out = self._in_a_row > 0
        pl_module.log("train/skipped_updates", float(self._skipped))

    def _length(self, trainer: Trainer, optimizer: Optimizer) -> float:
        length = gradient_norm(optimizer)
        if trainer.world_size > 1:
            # already the same, but for rounding on devices of different kinds
            length = trainer.strategy.reduce(length, reduce_op="mean")
        return length.item()

    def _leave_out(self, trainer: Trainer, pl_module: LitVAE, optimizer: Optimizer, length: float) -> None:
        self._skipped += 1
        self._in_a_row += 1
        if self._in_a_row == 1:
            found = diagnose(pl_module, pl_module.loss_terms)
            self._diagnosis = f"{length:.3g} at step {trainer.global_step}: {found}"
        optimizer.zero_grad(set_to_none=True)  # without gradients, no optimizer changes anything
        for name, value in self._before.items():
            pl_module.get_buffer(name).copy_(value)
        if self._in_a_row >= self.budget:
            raise FloatingPointError(
                f"{self._in_a_row} updates in a row were left out, because their gradients were not finite or far "
                f"longer than usual. The first had a length of {self._diagnosis}. The weights are those before it. "
                f"Lower model.optimizer.init_args.lr, warm it up, or set trainer.gradient_clip_val; UpdateGuard's "
                f"budget, {self.budget}, says how many are too many"
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, LitVAE)
        pl_module.update_left_out = False

    def state_dict(self) -> dict[str, Any]:
        return {
            "mean": self._tolerance.mean,
            "deviation": self._tolerance.deviation,
            "seen": self._tolerance.seen,
            "skipped": self._skipped,
            "in_a_row": self._in_a_row,
            "diagnosis": self._diagnosis,
            "before": self._before,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._tolerance.mean = state_dict["mean"]
        self._tolerance.deviation = state_dict["deviation"]
        self._tolerance.seen = state_dict["seen"]
        self._skipped = state_dict["skipped"]
        self._in_a_row = state_dict["in_a_row"]
        self._diagnosis = state_dict["diagnosis"]
        self._before = dict(state_dict.get("before", {}))


def diagnose(module: torch.nn.Module, terms: Mapping[str, Any]) -> str:
    """Where a gradient is wrong: the parameters that are not finite, or else the longest, and the terms of the loss.

    Args:
        module: With its gradients.
        terms: What the loss is made of, [] each.
    """
    weights = dict(module.named_parameters())
    lengths = {name: weight.grad.norm().item() for name, weight in weights.items() if weight.grad is not None}
    broken = [name for name in weights if not weights[name].isfinite().all()]
    wrong = [name for name, length in lengths.items() if not math.isfinite(length)]
    longest = sorted(lengths, key=lambda name: lengths[name], reverse=True)[:SHOWN]
    found = [
        f"not finite in {listed(wrong)}, of {len(lengths)} parameters"
        if wrong
        else f"longest in {', '.join(f'{name} ({lengths[name]:.3g})' for name in longest)}",
        *([f"weights not finite in {listed(broken)}"] if broken else []),
        f"loss terms: {', '.join(f'{name} {float(value):.4g}' for name, value in terms.items())}",
    ]
    return "; ".join(found)
