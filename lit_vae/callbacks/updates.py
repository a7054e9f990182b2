"""What callbacks around an optimizer's update have in common."""

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch.optim import Optimizer


def changed_weights(optimizer: Optimizer) -> bool:
    """Whether an optimizer's step, which has just ended, was one.

    Without gradients it changes nothing, nor where a fused one is told of an overflow in half precision.
    """
    found_overflow = getattr(optimizer, "found_inf", None)
    if found_overflow is not None and found_overflow.item() > 0:
        return False
    return any(weight.grad is not None for group in optimizer.param_groups for weight in group["params"])


def refuse_sharding(trainer: Trainer, callback: Callback) -> None:
    """Refuse to work where no process holds all weights and gradients.

    Raises:
        ValueError: If the trainer's strategy spreads the model over processes.
    """
    if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
        raise ValueError(
            f"trainer.callbacks: {type(callback).__name__} needs the whole model in every process, which "
            f"{type(trainer.strategy).__name__} spreads over several: set trainer.strategy to ddp, or leave it out"
        )
