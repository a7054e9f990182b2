"""What the optimizer is given at a step: the learning rate and the gradient."""

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, SingleDeviceStrategy
from torch.optim import Optimizer

from lit_vae.callbacks.updates import gradient_norm, is_logged, unscales

WHOLE_GRADIENT = (SingleDeviceStrategy, DDPStrategy, ModelParallelStrategy)
"""Strategies under which the length of the whole gradient can be had."""


class OptimizerMonitor(Callback):
    """Logs ``train/learning_rate`` and ``train/grad_norm``, every ``trainer.log_every_n_steps`` steps.

    Both are those of the step that is about to be taken: the gradient in full, its length (2-norm) before clipping.
    Groups of parameters have a learning rate each, ``train/learning_rate/0`` and so on. The length is left out under a
    strategy that does not let the parts of a gradient be gathered, such as ``FSDPStrategy``.

    Beside them, and beside each validation, it logs ``epoch``, which Lightning leaves out where a model logs ``step``.

    In a list of callbacks it comes before ``UpdateGuard``, which may take the gradient away.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            log({}, trainer, trainer.global_step)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        step = trainer.global_step + 1
        if not is_logged(step, trainer):
            return
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        name = "train/learning_rate"
        found = {name: rates[0]} if len(rates) == 1 else {f"{name}/{n}": rate for n, rate in enumerate(rates)}
        if isinstance(trainer.strategy, WHOLE_GRADIENT):
            scaler = getattr(trainer.precision_plugin, "scaler", None)
            scale = scaler.get_scale() if scaler is not None and unscales(optimizer) else 1.0
            found["train/grad_norm"] = gradient_norm(optimizer).item() / scale
        log(found, trainer, step)


def log(found: dict[str, float], trainer: Trainer, step: int) -> None:
    """Hand numbers, and the epoch, to all loggers."""
    for logger in trainer.loggers:
        logger.log_metrics(found | {"epoch": trainer.current_epoch}, step)
