"""An exponential moving average of the weights, on which a model is validated, tested and saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.hooks import RemovableHandle

from lit_vae.batch import Batch
from lit_vae.callbacks.updates import changed_weights, refuse_sharding
from lit_vae.checkpoints import AVERAGES_KEY, TRAINED_KEY
from lit_vae.metrics import Likelihood
from lit_vae.noise import IndexedNoise
from lit_vae.vae import LitVAE


class EMA(Callback):
    """Averages the weights over the updates, and evaluates and saves the averages.

    After each update, average = decay * average + (1 - decay) * weights. Validation, what is logged and monitored in
    it, the test, the weights in a checkpoint, and the model after training are the averages; until there are some, the
    weights themselves. A checkpoint holds the trained weights too: training goes on from them, exactly, with this
    callback; exactly but for the averages without it; and from one that was written without it, averaging begins.

    An update that is left out counts for nothing here. Running statistics (buffers called ``running_...``, as those of
    batch norms) are averaged as weights are, but from the first update on: before it they may hold what they were
    initialised to, which no batch has measured. Other buffers are not averaged. Averages are in single precision or
    better.

    Args:
        decay: What an average keeps of itself at each update.
        start: Optimizer steps before averaging begins, with the weights of that moment.
        warmup: Whether update t, from 0, keeps no more than (1 + t) / (10 + t), so that short runs forget the
            weights that averaging began with; the references keep ``decay`` from the first.
        raw: Whether a validation and a test also report the bound of the trained weights, as ``val/raw/...``; at the
            price of one more pass each.

    Raises:
        ValueError: If ``decay`` is not in [0, 1) or ``start`` is negative.

    Source:
        Polyak and Juditsky, 1992, https://doi.org/10.1137/0330046; as in Child, 2021,
        https://arxiv.org/abs/2011.10650 (0.9999 on CIFAR-10, 0.999 elsewhere).
    """

    def __init__(self, decay: float = 0.9999, start: int = 0, warmup: bool = True, raw: bool = False) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"trainer.callbacks: EMA's decay must be at least 0 and below 1, got {decay}")
        if start < 0:
            raise ValueError(f"trainer.callbacks: EMA's start counts optimizer steps, up from 0, got {start}")
        self.decay = decay
        self.start = start
        self.warmup = warmup
        self.raw = raw
        self._hooks: list[RemovableHandle] = []
        self._forget(None)

    def _forget(self, module: LightningModule | None) -> None:
        self._module = module
        self._updates = 0
        self._averages: dict[str, Tensor] = {}
        # the trained weights, for as long as the averages are in their place; empty otherwise
        self._trained: dict[str, Tensor] = {}
        self._likelihood: Likelihood | None = None

    # ---- training ----

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        refuse_sharding(trainer, self)
        if any(getattr(saver, "save_weights_only", False) for saver in trainer.checkpoint_callbacks):
            raise ValueError(
                "checkpoint.save_weights_only leaves out what trainer.callbacks add to a checkpoint, EMA's averages "
                "too: set it to false"
            )
        if self._module is not pl_module:
            self._forget(pl_module)
        elif stage == "fit":
            self._put_back(pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        weights = averaged(pl_module)
        if not self._averages and trainer.global_step >= self.start:
            self._begin(weights)
        elif self._averages:  # resumed, perhaps with regularizers that have weights of their own and were not there
            self._averages = copies({name: self._averages.get(name, weight) for name, weight in weights.items()})
        self._follow(pl_module)

        def update(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
            if changed_weights(optimizer):
                self._update(trainer.global_step + 1, weights)

        self._hooks = [optimizer.register_step_post_hook(update) for optimizer in trainer.optimizers]

    def _update(self, step: int, weights: dict[str, Tensor]) -> None:
        if not self._averages:
            if step >= self.start:
                self._begin(weights)
            return
        if self._updates == 0:
            for name, average in self._averages.items():
                if not isinstance(weights[name], torch.nn.Parameter):
                    average.copy_(weights[name])
        decay = min(self.decay, (1 + self._updates) / (10 + self._updates)) if self.warmup else self.decay
        averages = list(self._averages.values())
        current = [weights[name].detach().to(average.dtype) for name, average in self._averages.items()]
        get_ema_multi_avg_fn(decay)(averages, current, self._updates)
        self._updates += 1

    def _begin(self, weights: dict[str, Tensor]) -> None:
        self._averages = copies(weights)

    def _follow(self, pl_module: LightningModule) -> None:
        weights = averaged(pl_module)
        self._averages = {name: average.to(weights[name].device) for name, average in self._averages.items()}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._unhook()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._take_the_place(pl_module)
        self._follow(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._unhook()
        if trainer.state.fn == "fit":
            self._put_back(pl_module)

    def _unhook(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    # ---- exchanging the weights and their averages ----

    def _take_the_place(self, pl_module: LightningModule) -> None:
        """Put the averages in the place of the weights."""
        if self._averages and not self._trained:
            with torch.inference_mode(False):
                self._trained = {name: weight.detach().clone() for name, weight in averaged(pl_module).items()}
            fill(pl_module, self._averages)

    def _put_back(self, pl_module: LightningModule) -> None:
        """Put the weights back."""
        fill(pl_module, self._trained)
        self._trained = {}

    # ---- evaluation ----

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._take_the_place(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._put_back(pl_module)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._likelihood = None

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
        if not (self.raw and self._trained):
            return
        assert isinstance(pl_module, LitVAE)
        if self._likelihood is None:
            self._likelihood = Likelihood(pl_module.likelihood.layers).to(pl_module.device)
        fill(pl_module, self._trained)
        try:
            with trainer.precision_plugin.val_step_context():
                terms = pl_module.terms(batch, IndexedNoise(batch.index))
        finally:
            fill(pl_module, self._averages)
        self._likelihood.update(batch, terms)

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report("val", pl_module)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report("test", pl_module)

    def _report(self, split: str, pl_module: LightningModule) -> None:
        if self._likelihood is not None:
            assert isinstance(pl_module, LitVAE)
            found = pl_module.summary(self._likelihood)
            pl_module.log_dict({f"{split}/raw/{name}": value for name, value in found.items()})
            self._likelihood = None

    # ---- checkpoints ----

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self._updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._updates = state_dict["updates"]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self._averages:
            weights = checkpoint["state_dict"]
            checkpoint[TRAINED_KEY] = self._trained or {name: weights[name] for name in self._averages}
            weights.update(self._averages)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn == "fit":
            self._averages = checkpoint[AVERAGES_KEY]
        else:
            self._trained = checkpoint.get(TRAINED_KEY, {})
            self._averages = {name: checkpoint["state_dict"][name] for name in self._trained}


def averaged(module: torch.nn.Module) -> dict[str, Tensor]:
    """What is averaged of a module's state: weights, and running statistics."""
    return {
        name: value
        for name, value in module.state_dict(keep_vars=True).items()
        if isinstance(value, torch.nn.Parameter)
        or (name.rpartition(".")[2].startswith("running_") and value.is_floating_point())
    }


def copies(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors, in single precision or better."""
    return {
        name: weight.detach().to(torch.promote_types(weight.dtype, torch.float32), copy=True)
        for name, weight in weights.items()
    }


@torch.no_grad()
def fill(module: torch.nn.Module, values: Mapping[str, Tensor]) -> None:
    """Give some of a module's weights and statistics other values, in place."""
    if values:
        weights = averaged(module)
        for name, value in values.items():
            weights[name].copy_(value)
