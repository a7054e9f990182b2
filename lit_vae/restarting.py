"""Where in an epoch Lightning goes on from a checkpoint, and what it would leave out there."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerStatus
from torch.utils._pytree import tree_map


def begin_validation_again(checkpoint: dict[str, Any]) -> None:
    """Have Lightning resume with the whole validation in which a checkpoint was written; it would leave it out.

    Args:
        checkpoint: Its contents, to be changed: of the validation one batch has been begun, and none is done.
    """
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]
    begun = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    progress |= {"total": begun, "current": dict.fromkeys(begun, 0), "is_last_batch": False}


def keep_validation(checkpoint: dict[str, Any], trainer: Trainer) -> None:
    """Have Lightning resume with the validation that is due after the batch at whose end a checkpoint is written.

    It would take it for done. Elsewhere nothing is changed.

    Args:
        checkpoint: Its contents, to be changed.
        trainer: Which writes it.
    """
    loop = trainer.fit_loop.epoch_loop
    batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    at_end_of_batch = batches["current"]["processed"] == batches["current"]["completed"] + 1
    if trainer.state.fn != "fit" or not at_end_of_batch or trainer.fit_loop._data_fetcher is None:
        return
    # a validation because training is asked to stop is none of those of a training that goes on
    stops, trainer.should_stop = trainer.should_stop, False
    due = loop._should_check_val_fx(trainer.fit_loop._data_fetcher)
    trainer.should_stop = stops
    if due:
        for counts in ("total", "current"):
            batches[counts] = {**batches[counts], "completed": batches[counts]["processed"]}
        begin_validation_again(checkpoint)


def end_epoch_once(checkpoint: dict[str, Any], trainer: Trainer) -> None:
    """Have Lightning begin the next epoch where a checkpoint was written at an epoch's end.

    Where ``trainer.max_steps`` is set it would go on inside the epoch that is over, whose batches it would count on.

    Args:
        checkpoint: Its contents, to be changed: the epoch's last batch is done, and its end is not.
        trainer: Which goes on from it.
    """
    loops = checkpoint["loops"]["fit_loop"]
    epochs, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    is_over = batches["is_last_batch"] and 0 < epochs["current"]["ready"] == epochs["current"]["processed"]
    if trainer.max_steps == -1 or not is_over:
        return
    for counts in ("total", "current"):
        before = epochs[counts]["processed"] - 1
        epochs[counts] = {**epochs[counts], "processed": before, "completed": before}
        batches[counts] = {**batches[counts], "completed": batches[counts]["processed"] - 1}
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1


class BeforeValidation(Callback):
    """Remembers what a validation's end changes, for the case that it fails half-way and is begun again.

    That is the state of callbacks, of learning-rate schedules, and the rates themselves. :class:`lit_vae.LitVAE` brings
    this callback along.
    """

    def __init__(self) -> None:
        self._remembered: dict[str, Any] = {}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        states = {callback.state_key: callback.state_dict() for callback in callbacks}
        self._remembered = copied(
            {
                "callbacks": {key: state for key, state in states.items() if state},
                "lr_schedulers": [config.scheduler.state_dict() for config in trainer.lr_scheduler_configs],
                "rates": [[group["lr"] for group in optimizer.param_groups] for optimizer in trainer.optimizers],
            }
        )

    def take_back(self, checkpoint: dict[str, Any], trainer: Trainer) -> None:
        """Put what was there before a validation that has failed into the checkpoint that is written because of it.

        Args:
            checkpoint: Its contents, to be changed.
            trainer: Which writes it.
        """
        failed = trainer.state.status == TrainerStatus.INTERRUPTED
        if not (failed and trainer.validating and trainer.state.fn == "fit" and self._remembered):
            return
        before = copied(self._remembered)
        checkpoint["callbacks"] |= before["callbacks"]
        checkpoint["lr_schedulers"] = before["lr_schedulers"]
        for state, rates in zip(checkpoint["optimizer_states"], before["rates"], strict=True):
            groups = [{**group, "lr": rate} for group, rate in zip(state["param_groups"], rates, strict=True)]
            state["param_groups"] = groups


def copied(state: Any) -> Any:
    """Nested containers copied, what they hold as it is."""
    return tree_map(lambda part: part, state)
