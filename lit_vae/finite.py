"""Whether what a model learned is finite: a run in which it is not stops, and is neither saved nor loaded."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

EVERY = 50
"""Optimizer steps whose losses are read together: reading each would make a GPU wait at each step."""
SHOWN = 4
"""Names that a message lists."""
CURES = (
    "trainer.gradient_clip_val bounds them; and a run with a lower model.optimizer.init_args.lr, or with one that is "
    "warmed up, may not meet them"
)


def learned(module: nn.Module) -> dict[str, Tensor]:
    """What a module has learned: its parameters, and the statistics that batch norms and their like keep."""
    statistics = {
        name: value for name, value in module.named_buffers() if name.rpartition(".")[2].startswith("running_")
    }
    return dict(module.named_parameters()) | statistics


def held(value: Tensor) -> Tensor:
    """The part of a tensor that this process holds, where a strategy spreads it over several."""
    part: Tensor = value.to_local() if hasattr(value, "to_local") else value
    return part.detach()


def not_finite(values: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that hold a NaN or an infinity."""
    return [name for name, value in values.items() if not bool(held(value).isfinite().all())]


def listed(names: list[str]) -> str:
    """The first few of some names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def refuse_not_finite(values: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights with which nothing can be computed.

    Args:
        values: The weights, by name.
        source: Where they come from, in messages.

    Raises:
        ValueError: If one of them is not finite.
    """
    if broken := not_finite(values):
        raise ValueError(
            f"{source} holds weights that are not finite, {listed(broken)}, of {len(values)}: its training diverged. "
            f"Name an earlier checkpoint, or train again with a lower learning rate"
        )


@dataclass(frozen=True)
class Step:
    """What is remembered of an optimizer step, on the device.

    Attributes:
        number: Optimizer steps before it.
        loss: [], what was differentiated, summed over its batches.
        terms: What the loss is made of, [] each.
        names: The parameters that have gradients.
        lengths: The 2-norms of their gradients before they are clipped, one for each name.
    """

    number: int
    loss: Tensor
    terms: Mapping[str, Any]
    names: list[str]
    lengths: Tensor

    def is_finite(self) -> bool:
        """Whether the loss and its gradient are."""
        return bool(self.loss.isfinite() & self.lengths.isfinite().all())

    def told(self) -> str:
        """The terms of the loss, or the loss where they are not known."""
        terms = {name: float(value) for name, value in self.terms.items()} or {"loss": self.loss.item()}
        return ", ".join(f"{name.removeprefix('train/')} {value:.4g}" for name, value in terms.items())

    def longest(self) -> str:
        """The parameters with the largest gradients, and how large."""
        lengths = dict(zip(self.names, self.lengths.tolist(), strict=True))
        most = sorted(lengths, key=lengths.__getitem__, reverse=True)[:SHOWN]
        return ", ".join(f"{name} ({lengths[name]:.3g})" for name in most)

    def wrong(self) -> list[str]:
        """The parameters whose gradients are not finite."""
        return [
            name for name, length in zip(self.names, self.lengths.tolist(), strict=True) if not math.isfinite(length)
        ]


class FiniteCheck(Callback):
    """Stops training when the loss, the weights or the validation's bound are not finite, and says where it began.

    Losses are read every 50 optimizer steps and before each validation, weights before each validation, each
    checkpoint and the end of training; so that no checkpoint ever holds weights that are not finite. The largest
    gradients of the steps in between are kept on the device: it is not waited for at each step, and yet the message
    names the first step that went wrong, the parameters, and the terms of its loss.

    Updates that another callback leaves out do not count; nor, where a loss scale (16-bit precision) leaves them out,
    do losses that are not finite, unless no other comes. :class:`lit_vae.LitVAE` brings this callback along.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._guarded = False
        self._weights: dict[str, nn.Parameter] = {}
        self._loss: Tensor | float = 0.0
        self._steps: list[Step] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._forget()
        self._guarded = any(type(each).__name__ == "UpdateGuard" for each in trainer.callbacks)  # type: ignore[attr-defined]
        self._weights = {name: weight for name, weight in pl_module.named_parameters() if weight.requires_grad}

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._loss = self._loss + loss.detach()

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        loss, self._loss = self._loss, 0.0
        gradients = {name: held(weight.grad) for name, weight in self._weights.items() if weight.grad is not None}
        if not gradients:
            return
        assert isinstance(loss, Tensor)
        # one kernel for all of them, as in torch.nn.utils.get_total_norm, which tells their total alone
        lengths = torch.stack(torch._foreach_norm(list(gradients.values())))
        terms = getattr(pl_module, "loss_terms", {})
        self._steps.append(Step(trainer.global_step, loss, terms, list(gradients), lengths))
        if len(self._steps) > EVERY:
            self._check_losses(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._check_losses(trainer, pl_module)
            self._check_weights(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._check_bound(trainer, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check_bound(trainer, pl_module, "test")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check_losses(trainer, pl_module)
        self._check_weights(trainer, pl_module)
        self._forget()

    # ---- what is checked ----

    def _check_losses(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._steps:
            return
        bad = ~torch.stack([step.loss for step in self._steps]).isfinite()
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        wrong = bool(bad.all() if scaled else bad.any())
        self._stop_if(wrong, "the loss is not finite", trainer, pl_module)
        self._steps = self._steps[-1:]

    def _check_weights(self, trainer: Trainer, pl_module: LightningModule) -> None:
        broken = not_finite(learned(pl_module))
        self._stop_if(bool(broken), f"weights are not finite in {listed(broken)}", trainer, pl_module)

    def _check_bound(self, trainer: Trainer, pl_module: LightningModule, split: str) -> None:
        bound = float(trainer.callback_metrics.get(f"{split}/nelbo", 0.0))
        if not math.isfinite(bound):
            raise FloatingPointError(
                f"{split}/nelbo is {bound}, although all weights are finite: the model's likelihood of an example, or "
                f"its KL, overflowed. {trainer.precision_plugin.precision} is the precision: set trainer.precision to "
                f"32-true, or train again with a lower learning rate"
            )

    def check_saved(self, module: nn.Module, weights: Iterable[Mapping[str, Tensor]]) -> None:
        """Refuse to save weights that are not finite.

        Args:
            module: The model.
            weights: What a checkpoint of it is to hold, by name, of which what is no parameter is not looked at.

        Raises:
            FloatingPointError: If some are not.
        """
        names = learned(module).keys()
        for some in weights:
            if broken := not_finite({name: value for name, value in some.items() if name in names}):
                raise FloatingPointError(self._diagnosis(f"weights are not finite in {listed(broken)}", module))

    # ---- what is said ----

    def _stop_if(self, wrong: bool, what: str, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop all processes if something is wrong in one of them."""
        if not trainer.strategy.reduce_boolean_decision(not wrong, all=True):
            raise FloatingPointError(self._diagnosis(what, pl_module))

    def _diagnosis(self, what: str, module: nn.Module) -> str:
        """Where it began, and what cures it."""
        first = next((n for n, step in enumerate(self._steps) if not step.is_finite()), None)
        said = [f"training diverged: {what}"]
        if first is not None:
            step = self._steps[first]
            said.append(f"the first step that went wrong was step {step.number}, where {step.told()}")
            wrong, all_names = step.wrong(), step.names
            if wrong and len(wrong) < len(all_names):
                said.append(f"its gradient was not finite in {listed(wrong)} of {len(all_names)} parameters")
            elif wrong:
                said.append(f"its gradient was finite in none of {len(all_names)} parameters")
        for step in self._steps[:first][-1:]:
            said.append(f"step {step.number} had {step.told()}, and its largest gradients in {step.longest()}")
        guard = "" if self._guarded else "--trainer.callbacks lit_vae.callbacks.UpdateGuard leaves such updates out; "
        return f"{'; '.join(said)}. {guard}{CURES}. No checkpoint holds weights that are not finite"
