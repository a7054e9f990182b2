"""Training in stages: under another objective, of one side alone, from a side that is reset."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lit_vae.objectives import Objective
from lit_vae.sides import Side, Sides, sides
from lit_vae.vae import LitVAE


@dataclass
class Stage:
    """A part of a training.

    Args:
        share: How much of ``trainer.max_epochs`` it takes, between 0 and 1, at least an epoch; null for all that is
            left, which only the last stage has.
        objective: What is minimised instead of the model's objective; null for the model's.
        trains: The side whose weights change; null for both.
        reset: The side that begins anew, with the weights that the run began with; null for neither.
    """

    share: float | None = None
    objective: Objective | None = None
    trains: Side | None = None
    reset: Side | None = None


class Stages(Callback):
    """Divides a training into stages, one run from the first epoch to the last.

    Where a stage begins, optimizer and learning-rate schedules begin anew, and the objective's schedules count their
    steps from there. Evaluations report the true bound under the model's own objective throughout. Weights that both
    sides need, such as a shared embedding table, train in every stage and are never reset: give the decoder a table of
    its own (``model.head.init_args.own_table``) where it should be.

    Args:
        stages: In their order.

    Raises:
        ValueError: If there is no stage, a share is out of range, they are more than the whole, or a stage without one
            is not the last; or, before training starts, if ``trainer.max_epochs`` is not set.

    Source:
        Autoencoder first, then a new decoder under free bits: Li et al., 2019, https://arxiv.org/abs/1909.00868.
    """

    def __init__(self, stages: list[Stage]) -> None:
        shares = [stage.share for stage in stages]
        given = [share for share in shares if share is not None]
        if not stages or None in shares[:-1] or any(not 0 < share <= 1 for share in given) or sum(given) > 1 + 1e-9:
            raise ValueError(
                f"trainer.callbacks: Stages has at least one stage, each but the last with a share of the epochs "
                f"between 0 and 1, together at most 1; got {shares}"
            )
        self.stages = stages
        self._initial: dict[str, Tensor] = {}
        self._sides = Sides(frozenset(), frozenset())
        self._at = -1
        self._since = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if (trainer.max_epochs or 0) < len(self.stages):
            raise ValueError(
                f"trainer.callbacks: Stages divides trainer.max_epochs: set it to {len(self.stages)} or more, "
                f"got {trainer.max_epochs}"
            )
        if self._at < 0 and any(part.reset is not None for part in self.stages):
            self._initial = {name: weight.detach().cpu().clone() for name, weight in pl_module.named_parameters()}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        dataset = trainer.datamodule.dataset("train")  # type: ignore[attr-defined]
        self._sides = sides(pl_module, dataset.__getitems__(list(range(min(2, len(dataset))))))
        for part in self.stages:
            if part.objective is not None:
                part.objective.to(pl_module.device)
        if self._at >= 0:  # resumed
            pl_module.train_under(self.stages[self._at].objective, self._since)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        at = self._stage_of(trainer.current_epoch, trainer.max_epochs or 0)
        if at != self._at:
            if at > 0:
                begin_anew(trainer, pl_module)
            self._reset(pl_module, self.stages[at].reset)
            self._at, self._since = at, pl_module.objective_step
        pl_module.train_under(self.stages[at].objective, self._since)

    def _stage_of(self, epoch: int, epochs: int) -> int:
        """The stage of an epoch of so many; the last one where all are over."""
        for at, stage in enumerate(self.stages):
            lasts = epochs if stage.share is None else max(1, round(stage.share * epochs))
            if epoch < lasts:
                return at
            epoch -= lasts
        return len(self.stages) - 1

    @torch.no_grad()
    def _reset(self, pl_module: LightningModule, side: Side | None) -> None:
        if side is None:
            return
        weights = dict(pl_module.named_parameters())
        for name in self._sides.of(side):
            weights[name].copy_(self._initial[name])

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        freeze_other_side(pl_module, self._sides, self.stages[self._at].trains)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        pl_module.train_under(None, 0)

    def state_dict(self) -> dict[str, Any]:
        ahead = self.stages[self._at + 1 :]
        objectives = [stage.objective.state_dict() if stage.objective else {} for stage in self.stages]
        initial = self._initial if any(stage.reset is not None for stage in ahead) else {}
        return {"at": self._at, "since": self._since, "initial": initial, "objectives": objectives}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._at, self._since, self._initial = state_dict["at"], state_dict["since"], state_dict["initial"]
        for stage, state in zip(self.stages, state_dict["objectives"], strict=True):
            if stage.objective is not None:
                stage.objective.load_state_dict(state)


def begin_anew(trainer: Trainer, pl_module: LitVAE) -> None:
    """Put optimizer and learning-rate schedules back to where they start."""
    made: Any = pl_module.configure_optimizers()
    fresh: Mapping[str, Any] = made if isinstance(made, Mapping) else {"optimizer": made}
    (optimizer,) = trainer.optimizers
    optimizer.load_state_dict(copy.deepcopy(fresh["optimizer"].state_dict()))
    if "lr_scheduler" in fresh:
        (config,) = trainer.lr_scheduler_configs
        config.scheduler.load_state_dict(copy.deepcopy(fresh["lr_scheduler"]["scheduler"].state_dict()))


def freeze_other_side(pl_module: LightningModule, parts: Sides, trains: Side | None) -> None:
    """Take the gradients of the side that does not train: optimizers leave weights without one alone.

    Args:
        pl_module: Whose gradients are there.
        parts: Its sides.
        trains: The side that does; None for both.
    """
    if trains is None:
        return
    frozen = parts.of("decoder" if trains == "encoder" else "encoder")
    for name, weight in pl_module.named_parameters():
        if name in frozen:
            weight.grad = None
