"""The metrics that others go by are looked for before training, not after its first epoch."""

from collections.abc import Iterator

from lightning.pytorch import Callback, LightningModule, Trainer


class CheckMonitors(Callback):
    """Refuses a monitored metric that the validation does not report, when Lightning has tried it on a few batches.

    That goes for ``checkpoint.monitor``, for the ``monitor`` of every callback that has one, and for that of the
    learning-rate schedule. Without the trial (``trainer.num_sanity_val_steps`` 0) nothing is checked.

    Raises:
        ValueError: Before training starts; the message names the metrics that there are.
    """

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        known = sorted(trainer.callback_metrics)
        for where, name in monitors(trainer):
            if name.startswith("val") and name not in known:
                raise ValueError(
                    f"{where} is {name}, which the validation does not report: change it to one of {', '.join(known)}"
                )


def monitors(trainer: Trainer) -> Iterator[tuple[str, str]]:
    """The metrics that parts of a training go by: where each is named, and its name."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(name := getattr(callback, "monitor", None), str):
            yield f"monitor of {type(callback).__name__} (checkpoint or trainer.callbacks)", name
    for schedule in trainer.lr_scheduler_configs:
        if schedule.reduce_on_plateau and schedule.monitor is not None:
            yield "monitor of model.scheduler", schedule.monitor
