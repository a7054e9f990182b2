"""What callbacks around an optimizer's update have in common."""

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer


def is_logged(step: int, trainer: Trainer) -> bool:
    """Whether Lightning logs at an optimizer step, counted from 1, and there is where to."""
    every = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return bool(trainer.loggers) and every > 0 and step % every == 0


def gradient_norm(optimizer: Optimizer) -> Tensor:
    """2-norm of the gradient of all parameters of an optimizer, [], gathered where it is spread over processes."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    length = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    return length.full_tensor() if isinstance(length, DTensor) else length


def unscales(optimizer: Optimizer) -> bool:
    """Whether an optimizer itself takes the loss scale of half precision out of its gradients, as fused ones do."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


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
