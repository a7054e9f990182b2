"""A training's progress where there is no terminal: one line for each validation."""

import time

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from lit_vae.vae import LitVAE


class ValidationLines(Callback):
    """Prints a line after each validation of a training: step, time, the bound in the head's unit and in nats, its KL.

    The time, hours:minutes:seconds, is that since this training began or was resumed.
    """

    def __init__(self) -> None:
        self._began = 0.0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._began = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        assert isinstance(pl_module, LitVAE)
        names = [f"val/{name}" for name in (pl_module.head.rate_name, "nelbo", "rate")]
        found = trainer.callback_metrics
        values = ", ".join(f"{name} {float(found[name]):.4g}" for name in names if name in found)
        show(f"step {trainer.global_step}, {clock(time.monotonic() - self._began)}: {values}")


@rank_zero_only
def show(line: str) -> None:
    """Print a line at once, and once for all processes."""
    print(line, flush=True)


def clock(seconds: float) -> str:
    """Hours:minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
