"""Whether the latent variables carry anything, and a message when they stop doing so."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.batch import Batch
from lit_vae.distributions import Gaussian
from lit_vae.latents import Latent
from lit_vae.metrics import AggregatePosterior
from lit_vae.notices import notice
from lit_vae.vae import LitVAE

CURES = (
    "to cure it, give the KL a floor (model.objective.init_args.free_bits) or let it count later "
    "(model.objective.init_args.kl_weight: lit_vae.objectives.Linear or Cyclical); for a vector latent, "
    "fix the spread of the posterior means (model.backbone.init_args.posterior: lit_vae.backbones.BatchNormPosterior); "
    "for text, weaken the decoder (model.head.init_args.word_dropout)"
)
CONSTANT = ("mutual_information_examples", "units")
"""What is the same at each validation of a training, so that no logger needs it there."""


class CollapseWatch(Callback):
    """Logs mutual information and active units of the top latent layer, and prints a message when a model collapses.

    After each validation and test: ``mutual_information`` (nats; at most the KL, and at most the log of
    ``mutual_information_examples``), ``mutual_information_std_error``, ``active_units`` and ``units``. A model has
    collapsed where the KL of all layers is below ``nats``, or, with one latent layer, where fewer than a tenth of its
    units are active. Then the decoder models the data alone, while the loss looks as good as ever. During training the
    message waits for a second validation in a row that finds it: at first few models use their latent variables.

    Args:
        nats: KL of all layers, nats per example, below which a model counts as collapsed; 0 turns the message off.

    Raises:
        ValueError: If ``nats`` is negative.

    Source:
        Bowman et al., 2016, https://arxiv.org/abs/1511.06349; He et al., 2019, https://arxiv.org/abs/1901.05534.
    """

    def __init__(self, nats: float = 1.0) -> None:
        if nats < 0:
            raise ValueError(f"collapse.nats must be >= 0, got {nats}")
        self.nats = nats
        self._said = False
        self._suspected = False
        self._resumed: dict[str, Any] = {}
        self._posterior = AggregatePosterior()
        self._layers = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # An evaluation is handed a checkpoint's state, too, and says what it finds all the same.
        self._said = self._resumed.get("said", self._said)
        self._suspected = self._resumed.get("suspected", self._suspected)

    def state_dict(self) -> dict[str, Any]:
        return {"said": self._said, "suspected": self._suspected}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._resumed = state_dict

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._posterior.reset()

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
        latents: list[Latent] = outputs["latents"]
        self._layers = len(latents)
        if not latents:
            return
        top = latents[0]
        if isinstance(top.posterior, Gaussian) and top.mask is None:
            self._posterior.to(pl_module.device).update(batch.index, top.posterior, top.z)

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(trainer, pl_module, "test")

    def _report(self, trainer: Trainer, pl_module: LightningModule, split: str) -> None:
        if not self._layers:
            return
        assert isinstance(pl_module, LitVAE)
        totals = pl_module.likelihood.compute()  # the module's own hook, which empties it, comes after this one
        rate = float(totals["rate"] / totals["examples"])
        words = f"the KL is {rate:.2f} nats"
        collapsed = rate < self.nats
        if self._posterior.update_called:
            found = {name: float(value) for name, value in self._posterior.compute().items()}
            self._posterior.reset()
            found["mutual_information_examples"] = found.pop("examples")
            for name, value in found.items():
                constant = name in CONSTANT and trainer.state.fn == "fit"
                logger = False if constant else None
                pl_module.log(f"{split}/{name}", value, logger=logger, rank_zero_only=False)
            active, units = round(found["active_units"]), round(found["units"])
            words += f", {active} of {units} units{' of the top layer' * (self._layers > 1)} are active"
            told, error = found["mutual_information"], found["mutual_information_std_error"]
            words += f", the mutual information is {told:z.2f} nats (standard error {error:.2f})"
            collapsed |= self._layers == 1 and 10 * active < units and self.nats > 0
        if trainer.sanity_checking:
            return
        sure = collapsed and (self._suspected or trainer.state.fn != "fit")
        if sure != self._said and (sure or not collapsed):
            said = f"posterior collapse: {words}; {CURES}" if sure else f"no posterior collapse any more: {words}"
            notice(said, of_result=True)
            self._said = sure
        self._suspected = collapsed
