"""The part of the tokens that is reconstructed exactly: what a parallel decoder is judged by."""

from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.batch import Batch
from lit_vae.draws import posterior_mean
from lit_vae.metrics import Reconstruction
from lit_vae.noise import IndexedNoise
from lit_vae.vae import LitVAE


class TokenAccuracy(Callback):
    """Logs ``token_accuracy`` and ``exact_match``: the parts of all tokens, and of the texts, that come back exactly.

    What comes back is the distribution's mode at the posterior's mean: of tokens, the greedy text. That costs a second
    pass over the split, and with an autoregressive head one step after the other. Pictures may be asked as well; their
    symbols are channels of pixels.

    Args:
        split: When it is logged: after each ``test``, or after each validation as well (``both``).

    Raises:
        ValueError: If ``split`` is neither of the two.
    """

    def __init__(self, split: Literal["test", "both"] = "test") -> None:
        if split not in ("test", "both"):
            raise ValueError(f"split of TokenAccuracy under trainer.callbacks is 'test' or 'both', got {split!r}")
        self.split = split
        self._metric = Reconstruction()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._metric.reset()

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.split == "both" and not trainer.sanity_checking:
            self._take_in(pl_module, batch)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._take_in(pl_module, batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(pl_module, "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(pl_module, "test")

    @torch.no_grad()
    def _take_in(self, pl_module: LightningModule, batch: Batch) -> None:
        assert isinstance(pl_module, LitVAE)
        distribution, _ = pl_module(batch, posterior_mean, IndexedNoise(batch.index))
        self._metric.to(pl_module.device).update(batch, distribution.mode)

    def _report(self, pl_module: LightningModule, split: str) -> None:
        if not self._metric.update_called:
            return
        found = self._metric.compute()
        self._metric.reset()
        pl_module.log_dict({f"{split}/{name}": value for name, value in found.items()})
