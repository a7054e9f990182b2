"""Letting the encoder catch up with the decoder before every step of the decoder."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.batch import Batch
from lit_vae.callbacks.collapse import CollapseWatch
from lit_vae.callbacks.stages import freeze_other_side
from lit_vae.sides import Sides, sides
from lit_vae.vae import LitVAE

INFORMATION = "val/mutual_information"


class AggressiveEncoder(Callback):
    """Trains the encoder alone until its loss no longer falls, then the decoder alone for one step, and so on.

    Each step sees the next batch. The encoder's steps end when the loss per symbol of a window of them is not below
    that of the window before, or after ``most`` steps. All this ends for good after the first validation whose mutual
    information is below that of the validation before: from then on both train together. Every validation draws z from
    the same noise, so that what falls is the model's information and not its estimate.

    An epoch is one pass over the data here, most of it spent on the encoder; in the paper it is as many steps of the
    decoder, so that an epoch of theirs takes as many of ours as the encoder takes steps. The schedules of the objective
    count the decoder's steps, as there; those of the learning rate count all.

    Args:
        window: Steps of the encoder whose losses are averaged, each symbol alike: batches may differ in length.
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
        self._passed_over = 0
        self._window_before: float | None = None
        self._nats = 0.0
        self._symbols = 0.0
        self._decoders_turn = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if not any(isinstance(callback, CollapseWatch) for callback in trainer.callbacks):  # type: ignore[attr-defined]
            raise ValueError(
                f"trainer.callbacks: AggressiveEncoder goes by {INFORMATION}, which lit_vae.callbacks.CollapseWatch "
                f"reports: add it"
            )
        if trainer.accumulate_grad_batches != 1:
            raise ValueError(
                "trainer.callbacks: AggressiveEncoder takes turns at each batch: "
                "set trainer.accumulate_grad_batches to 1"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        dataset = trainer.datamodule.dataset("train")  # type: ignore[attr-defined]
        pl_module.steps_uncounted = self._passed_over
        self._sides = sides(pl_module, dataset.__getitems__(list(range(min(2, len(dataset))))))

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._over:
            freeze_other_side(pl_module, self._sides, "decoder" if self._decoders_turn else "encoder")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, LitVAE)
        if self._over:
            return
        if self._decoders_turn:
            self._encoder_steps, self._window_before, self._decoders_turn = 0, None, False
            self._nats = self._symbols = 0.0
            return
        self._encoder_steps += 1
        self._passed_over += 1
        pl_module.steps_uncounted = self._passed_over
        seen = torch.stack([outputs["nats"], outputs["symbols"].to(outputs["nats"])])
        nats, count = trainer.strategy.reduce(seen, reduce_op="sum").tolist()
        self._nats, self._symbols = self._nats + nats, self._symbols + count
        if self._encoder_steps % self.window == 0:
            mean = self._nats / self._symbols
            self._decoders_turn = self._window_before is not None and mean >= self._window_before
            self._window_before, self._nats, self._symbols = mean, 0.0, 0.0
        self._decoders_turn |= self._encoder_steps >= self.most

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit" or self._over:
            return
        if INFORMATION not in trainer.callback_metrics:
            raise ValueError(
                f"trainer.callbacks: AggressiveEncoder goes by {INFORMATION}, which the model's validation does not "
                f"report: it needs a backbone with a Gaussian posterior"
            )
        information = float(trainer.callback_metrics[INFORMATION])
        self._over = self._information is not None and information < self._information
        self._information = information

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LitVAE)
        pl_module.steps_uncounted = 0

    def state_dict(self) -> dict[str, Any]:
        return {
            "over": self._over,
            "information": self._information,
            "encoder_steps": self._encoder_steps,
            "passed_over": self._passed_over,
            "window_before": self._window_before,
            "nats": self._nats,
            "symbols": self._symbols,
            "decoders_turn": self._decoders_turn,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, f"_{name}", value)
