"""Letting the encoder catch up with the decoder before every step of the decoder."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.callbacks.stages import freeze_other_side
from lit_vae.sides import Sides, sides
from lit_vae.vae import LitVAE

INFORMATION = "val/mutual_information"


class AggressiveEncoder(Callback):
    """Trains the encoder alone until its loss no longer falls, then the decoder alone for one step, and so on.

    Each step sees the next batch. The encoder's steps end when the mean loss of a window of them is not below that of
    the window before, or after ``most`` steps. All this ends for good after the first validation whose mutual
    information is below that of the validation before: from then on both train together.

    An epoch is one pass over the data here, most of it spent on the encoder; in the paper it is as many steps of the
    decoder, so that an epoch of theirs takes as many of ours as the encoder takes steps.

    Args:
        window: Steps of the encoder whose losses are averaged.
        most: Most steps of the encoder in a row.

    Raises:
        ValueError: If ``window`` is less than 1 or ``most`` less than ``window``.

    Source:
        He et al., 2019, Lagging inference networks and posterior collapse in variational autoencoders,
        https://arxiv.org/abs/1901.05534.
    """

    def __init__(self, window: int = 15, most: int = 100) -> None:
        if not 1 <= window <= most:
            raise ValueError(
                f"trainer.callbacks: AggressiveEncoder's window counts up from 1 and most from window, "
                f"got {window} and {most}"
            )
        self.window = window
        self.most = most
        self._sides = Sides(frozenset(), frozenset())
        self._over = False
        self._information: float | None = None
        self._encoder_steps = 0
        self._window_before: float | None = None
        self._losses: list[float] = []
        self._decoders_turn = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        if trainer.accumulate_grad_batches != 1:
            raise ValueError(
                "trainer.callbacks: AggressiveEncoder takes turns at each batch: "
                "set trainer.accumulate_grad_batches to 1"
            )
        dataset = trainer.datamodule.dataset("train")  # type: ignore[attr-defined]
        self._sides = sides(pl_module, dataset.__getitems__(list(range(min(2, len(dataset))))))

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._over:
            freeze_other_side(pl_module, self._sides, "decoder" if self._decoders_turn else "encoder")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._over:
            return
        if self._decoders_turn:
            self._encoder_steps, self._window_before, self._losses, self._decoders_turn = 0, None, [], False
            return
        self._encoder_steps += 1
        self._losses.append(float(trainer.strategy.reduce(outputs["loss"].detach(), reduce_op="mean")))
        if len(self._losses) == self.window:
            mean = sum(self._losses) / self.window
            self._decoders_turn = self._window_before is not None and mean >= self._window_before
            self._window_before, self._losses = mean, []
        self._decoders_turn |= self._encoder_steps >= self.most

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit" or self._over:
            return
        if INFORMATION not in trainer.callback_metrics:
            raise ValueError(
                f"trainer.callbacks: AggressiveEncoder goes by {INFORMATION}, which the model's validation does not "
                f"report: it needs a Gaussian posterior, and lit_vae.callbacks.CollapseWatch"
            )
        information = float(trainer.callback_metrics[INFORMATION])
        self._over = self._information is not None and information < self._information
        self._information = information

    def state_dict(self) -> dict[str, Any]:
        return {
            "over": self._over,
            "information": self._information,
            "encoder_steps": self._encoder_steps,
            "window_before": self._window_before,
            "losses": self._losses,
            "decoders_turn": self._decoders_turn,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, f"_{name}", value)
