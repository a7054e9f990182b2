"""Learning-rate schedules that go by a metric take their step where the metric is new: at a validation's end."""

import sys

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import ReduceLROnPlateau
from lightning.pytorch.utilities.types import LRSchedulerConfigType


def configured(scheduler: ReduceLROnPlateau) -> LRSchedulerConfigType:
    """What a model tells Lightning of such a schedule: to save it, and never to step it."""
    return {"scheduler": scheduler, "monitor": scheduler.monitor, "frequency": sys.maxsize}


class StepPlateaus(Callback):
    """Steps each ``ReduceLROnPlateau`` once after each validation of a training, before its checkpoints are written.

    So ``patience`` counts validations: those of ``trainer.val_check_interval`` and ``trainer.check_val_every_n_epoch``,
    one an epoch by default. Lightning would step it at the end of an epoch, after the checkpoint of that epoch's
    validation, from which a resumed run would then lack the step. All processes go by the metric of the first one.
    :class:`lit_vae.LitVAE` brings this callback along.

    Raises:
        ValueError: If there are no validations, or they do not report the metric.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for _, monitor in plateaus(trainer):
            if not trainer.enable_validation:
                raise ValueError(
                    f"model.scheduler goes by {monitor} after each validation, and there are none: set "
                    f"trainer.limit_val_batches above 0, or take a schedule that goes by steps"
                )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        for scheduler, monitor in plateaus(trainer):
            if monitor not in trainer.callback_metrics:
                known = ", ".join(sorted(trainer.callback_metrics))
                raise ValueError(
                    f"monitor of model.scheduler is {monitor}, which the validation does not report: change it to one "
                    f"of {known}"
                )
            scheduler.step(trainer.strategy.broadcast(float(trainer.callback_metrics[monitor])))


def plateaus(trainer: Trainer) -> list[tuple[ReduceLROnPlateau, str]]:
    """The schedules of a training that go by a metric, and the names of their metrics."""
    found = [config.scheduler for config in trainer.lr_scheduler_configs]
    return [(scheduler, scheduler.monitor) for scheduler in found if isinstance(scheduler, ReduceLROnPlateau)]
