"""A run that is resumed with another optimizer, rate or schedule than its checkpoint was written with."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import ReduceLROnPlateau

from lit_vae.vae import LitVAE

OPTIMIZER, SCHEDULER = "model.optimizer", "model.scheduler"


class ChangedSettings(Callback):
    """Lets changed settings of the optimizer and of the schedule take the place of those in a checkpoint.

    A trainer restores both as they were saved, learning rate included. Here what was changed counts from the next
    update on:

    - Settings of the optimizer are the new ones. What it has measured (moments) stays, unless its class is another.
    - A schedule that goes by steps gives the rate that it would have come to, had it been there from the first step.
    - One that goes by a metric keeps the rate that the run has come to, unless ``lr`` is what changed; another one, or
      one with other settings, begins to count anew.
    - Without a schedule the rate is the optimizer's.

    Args:
        keys: The settings that changed, dotted, as ``model.optimizer.init_args.lr``.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = list(keys)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        assert isinstance(pl_module, LitVAE)
        if not checkpoint.get("optimizer_states"):  # of a run in which no step has been taken, or of weights alone
            return
        count = len(checkpoint["optimizer_states"][0]["param_groups"][0]["params"])
        if any(key.startswith((OPTIMIZER, SCHEDULER)) for key in self._keys) or count != len([*pl_module.parameters()]):
            self._take_over(pl_module, checkpoint)

    def _take_over(self, vae: LitVAE, checkpoint: dict[str, Any]) -> None:
        (saved,) = checkpoint["optimizer_states"]
        before: Any = checkpoint["lr_schedulers"][0] if checkpoint["lr_schedulers"] else None
        made: Any = vae.configure_optimizers()
        fresh: Mapping[str, Any] = made if isinstance(made, Mapping) else {"optimizer": made}
        schedule = fresh["lr_scheduler"]["scheduler"] if "lr_scheduler" in fresh else None
        by_metric = isinstance(schedule, ReduceLROnPlateau)
        if schedule is not None and not by_metric:
            replay(schedule, steps_behind(before, checkpoint["global_step"]))
        new = fresh["optimizer"].state_dict()
        if by_metric and not self._changed(f"{OPTIMIZER}.class_path", f"{OPTIMIZER}.init_args.lr"):
            for group, old in zip(new["param_groups"], saved["param_groups"], strict=True):
                group["lr"] = old["lr"]
        if not self._changed(f"{OPTIMIZER}.class_path"):
            # backbone and head, which are the same as before, come first
            kept = len(dict.fromkeys([*vae.backbone.parameters(), *vae.head.parameters()]))
            whole = len(saved["param_groups"][0]["params"]) == len(new["param_groups"][0]["params"])
            new["state"] = {at: state for at, state in saved["state"].items() if whole or at < kept}
        checkpoint["optimizer_states"] = [new]
        checkpoint["lr_schedulers"] = []
        if schedule is not None:
            goes_on = by_metric and before is not None and not self._changed(SCHEDULER)
            state: dict[str, Any] = before if goes_on else schedule.state_dict()
            rates = [group["lr"] for group in new["param_groups"]]
            checkpoint["lr_schedulers"] = [{**state, "_last_lr": rates}]

    def _changed(self, *prefixes: str) -> bool:
        return any(key.startswith(prefixes) for key in self._keys)


def steps_behind(schedule: Mapping[str, Any] | None, updates: int) -> int:
    """How many updates a schedule has behind it.

    Args:
        schedule: State of the one that the run had; None for none.
        updates: Those of the run, which count where it had none, or one that goes by a metric.
    """
    counts = schedule is not None and "num_bad_epochs" not in schedule
    return int(schedule["last_epoch"]) if schedule is not None and counts else updates


def replay(schedule: Any, steps: int) -> None:
    """Step a schedule that nothing has stepped yet."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected call of")  # torch wants updates in between
        for _ in range(steps):
            schedule.step()
