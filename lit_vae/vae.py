"""The one LightningModule: backbone, head and objective, trained, evaluated, saved and loaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from lightning.pytorch import Callback
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable, ReduceLROnPlateau, instantiate_module
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from lightning.pytorch.utilities.types import LRSchedulerTypeUnion, OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_vae import checkpoints
from lit_vae.backbones import Backbone
from lit_vae.batch import Batch
from lit_vae.draws import from_posterior
from lit_vae.finite import FiniteCheck, learned, listed, refuse_not_finite
from lit_vae.heads import DecoderHead
from lit_vae.importance import importance_weighted_nll
from lit_vae.latents import Latent
from lit_vae.metrics import Likelihood
from lit_vae.model import LatentVariableModel, refuse_other
from lit_vae.noise import IndexedNoise, Noise, StreamNoise, stream_seed
from lit_vae.notices import notice
from lit_vae.objectives import Objective, Terms
from lit_vae.plateaus import StepPlateaus, configured
from lit_vae.regularizers import Pass, Regularizer, penalties
from lit_vae.restarting import BeforeValidation, end_epoch_once, keep_validation
from lit_vae.step_under_way import StepUnderWay
from lit_vae.symbols import restore
from lit_vae.trust.given import trusting
from lit_vae.trust.places import check_callback_states
from lit_vae.trust.signature import sign
from lit_vae.whole_step import WholeStep

if TYPE_CHECKING:
    from lit_vae.data.identity import Identity

# Names the stream of dropout, apart from that of the latents of the same batch.
DROPOUT = int.from_bytes(b"drop")


class LitVAE(LatentVariableModel):
    """A variational autoencoder over arrays of symbols.

    Args:
        backbone: Features to features through latent layers.
        head: How symbols become features and features a distribution.
        objective: What is minimised.
        optimizer: Makes the optimizer from the parameters.
        scheduler: Makes a learning-rate schedule from the optimizer; stepped once per optimizer step, or, where it is
            ``lightning.pytorch.cli.ReduceLROnPlateau``, once per validation by the metric that it monitors.
        regularizers: What training adds to the loss, and evaluation leaves out.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: DecoderHead,
        objective: Objective,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        regularizers: list[Regularizer] | None = None,
    ) -> None:
        super().__init__(backbone, head)
        # Under the command line these are plain values, from which a checkpoint rebuilds the model. Built in Python
        # they would be the modules themselves, which a checkpoint that loads with weights_only must not hold.
        if _given_hyperparameters.get() is not None:
            self.save_hyperparameters(logger=False)
        self.objective = objective
        self._make_optimizer = optimizer
        self._make_scheduler = scheduler
        self._under: tuple[Objective | None, int] = (None, 0)
        self.importance_samples = 0
        """How many samples a test's importance-weighted bound has; 0 for none."""
        self._seed = 0
        self._whole_step = WholeStep()
        self.step_under_way = StepUnderWay(self, self._whole_step)
        self._trained_on: Identity | None = None
        self._resumed_batches: int | None = None
        self._finite = FiniteCheck()
        self._before_validation = BeforeValidation()
        self.loss_terms: dict[str, Any] = {}
        """What the latest training loss is made of, [] each, by the names under which it is logged."""
        self.update_left_out = False
        self.steps_uncounted = 0
        """Optimizer steps that the objective's schedules pass over."""
        layers = backbone.layers([n if n is not None else 1 for n in head.positions])
        self.likelihood = Likelihood([layer.name for layer in layers])
        self.regularizers = nn.ModuleList(regularizers or [])
        for regularizer in regularizers or []:
            regularizer.setup(self)

    def train_under(self, objective: Objective | None, since: int) -> None:
        """Train under another objective for now; evaluations keep to the model's own.

        Args:
            objective: Which; None for the model's own.
            since: The :attr:`objective_step` at which the schedules of the objective begin.
        """
        self._under = (objective, since)  # in a tuple: no part of the model, nor of its checkpoints

    @property
    def objective_step(self) -> int:
        """Optimizer steps so far that the objective's schedules count."""
        return self.global_step - self.steps_uncounted

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        """The bound of a batch, z drawn from the posterior."""
        distribution, latents = self(batch, from_posterior, noise)
        return self.objective(distribution.log_prob(batch.x), latents, batch.counts, self.global_step)

    # ---- training and evaluation ----

    def configure_callbacks(self) -> list[Callback]:
        """What every trainer of the model has: training stops where it is not finite; schedules go by validations."""
        return [self._finite, self._before_validation, StepPlateaus()]

    def setup(self, stage: str) -> None:
        """Learn from the trainer's data module what the symbols stand for, and which data it is."""
        datamodule = getattr(self.trainer, "datamodule", None)
        symbols = getattr(datamodule, "symbols", None)
        if symbols is not None:
            self.learn(symbols)
        if stage == "fit":
            self._trained_on = getattr(datamodule, "identity", None)
            self._resumed_batches = None  # a checkpoint, which is loaded next, says
            self.step_under_way.forget()

    def on_fit_start(self) -> None:
        """Key the noise of training by the seed of the run."""
        self._seed = torch.initial_seed()

    def on_train_start(self) -> None:
        """Say what of the model sees each accumulated batch by itself.

        Raises:
            ValueError: If a run is resumed whose epochs had another number of batches.
        """
        self.step_under_way.go_on()
        before, now = self._resumed_batches, self.trainer.num_training_batches
        if before not in (None, now):
            raise ValueError(
                f"the checkpoint was written within an epoch of {before} batches, those of this training have {now}: "
                f"the place in the epoch would be lost. Keep data.init_args.batch_size, the number of processes and "
                f"trainer.limit_train_batches until the epoch's end, resume from a checkpoint that was written at one, "
                f"or start a new run from the weights with --init_from"
            )
        accumulated = self.trainer.accumulate_grad_batches
        alone = {type(part).__name__ for part in self.modules() if getattr(part, "couples_examples", False)}
        if accumulated > 1 and alone:
            notice(
                f"trainer.accumulate_grad_batches is {accumulated}: {', '.join(sorted(alone))} looks at the mean of a "
                f"batch, and sees each accumulated batch by itself; everything else is as in one batch of all"
            )

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Note that what follows changes the model."""
        self.step_under_way.batch_begins()

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """The batch's share of the step's ``loss``; its own ``nats``, summed, and ``symbols``, all [].

        The loss of an optimizer step is the nats of all its batches, those of other processes and those accumulated,
        over all their symbols (or examples).
        """
        key = (self._seed, self.global_rank, self.global_step, batch_idx)
        # Dropout alone uses the global generator. Seeded here, it resumes, too; by a key of its own, since from that of
        # the noise it would draw the very numbers that z is made of.
        torch.manual_seed(stream_seed(*key, DROPOUT))
        noise = StreamNoise(*key, device=self.device)
        distribution, latents = self(batch, from_posterior, noise)
        objective, since = self._under
        step = self.objective_step - since
        terms = (objective or self.objective)(distribution.log_prob(batch.x), latents, batch.counts, step)
        added = penalties(self.regularizers, self, Pass(batch, distribution, latents, terms, noise, self.global_step))
        nats = terms.nats + len(batch) * sum(added.values(), terms.loss.new_zeros(()))
        nelbo, examples = terms.nelbo.detach().sum(), torch.tensor(len(batch))
        units = {name: unit.sum() for name, unit in batch.units.items()}
        rate = self.head.report(nelbo, examples, batch.counts.sum(), units)[self.head.rate_name]
        self.log(f"train/{self.head.rate_name}", rate, prog_bar=True, batch_size=len(batch))
        self.loss_terms = {
            "train/loss": nats.detach() / terms.divisor,
            "train/kl_weight": terms.kl_weight,
            "train/nelbo": nelbo / len(batch),
            "train/rate": terms.rate.detach().mean(),
            "train/distortion": terms.distortion.detach().mean(),
            **{f"train/reg/{name}": term.detach() for name, term in added.items()},
        }
        # Lightning's loggers log at "step".
        step_taken = {"step": torch.tensor(self.global_step + 1.0, dtype=torch.float64)}
        self.log_dict(self.loss_terms | step_taken, batch_size=len(batch))
        loss = self._whole_step.loss(nats, terms.divisor, self.trainer.accumulate_grad_batches)
        return {"loss": loss, "nats": nats.detach(), "symbols": batch.counts.sum()}

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Step with the gradient of the whole step, which the last of its batches completes."""

        def complete() -> Any:
            loss = optimizer_closure() if optimizer_closure is not None else None
            self._whole_step.finish(self.parameters())
            return loss

        super().optimizer_step(epoch, batch_idx, optimizer, complete)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, list[Latent]]:
        """Take in one batch of the validation split; callbacks are handed its ``latents``."""
        distribution, latents = self(batch, from_posterior, IndexedNoise(batch.index))
        terms = self.objective(distribution.log_prob(batch.x), latents, batch.counts, self.global_step)
        samples = self.importance_samples if self.trainer.testing else 0
        weighted = importance_weighted_nll(self, batch, samples) if samples else None
        self.likelihood.update(batch, terms, weighted)
        return {"latents": latents}

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, list[Latent]]:
        """Take in one batch of the test split."""
        return self.validation_step(batch, batch_idx)

    def on_validation_epoch_start(self) -> None:
        """Forget what a validation that was broken off has left."""
        self.likelihood.reset()

    def on_test_epoch_start(self) -> None:
        """As for a validation."""
        self.likelihood.reset()

    def on_validation_epoch_end(self) -> None:
        """Log the validation split's bound."""
        self._log_likelihood("val")

    def on_test_epoch_end(self) -> None:
        """Log the test split's bound."""
        self._log_likelihood("test")

    def _log_likelihood(self, split: str) -> None:
        found = self.summary(self.likelihood)
        if self.trainer.state.fn == "fit":
            self.log("step", torch.tensor(float(self.global_step), dtype=torch.float64))
            repeated = {f"{split}/{name}": found.pop(name) for name in self._repeated(found)}
            self.log_dict(repeated, logger=False)  # a checkpoint may go by it all the same
        self.log(f"{split}/{self.head.rate_name}", found.pop(self.head.rate_name), prog_bar=True)
        self.log_dict({f"{split}/{name}": value for name, value in found.items()})

    def _repeated(self, found: Iterable[str]) -> list[str]:
        """Which names of a summary say what others do: the nats of an example, and the KL of an only layer."""
        layers = [name for name in found if name.startswith("kl/")]
        return [name for name in found if name == self.head.per_example or [name] == layers]

    def summary(self, likelihood: Likelihood) -> dict[str, Tensor]:
        """The bound of a split, per example and in the units of the field, and how many ``examples`` it is of, [] each.

        Empties what it was kept in.
        """
        totals = likelihood.compute()
        likelihood.reset()
        examples = totals["examples"]
        units = {name.removeprefix("unit/"): unit for name, unit in totals.items() if name.startswith("unit/")}
        per_example = {
            name: total / examples
            for name, total in totals.items()
            if name in ("nelbo", "rate", "distortion") or name.startswith("kl/")
        }
        found = per_example | self.head.report(totals["nelbo"], examples, totals["symbols"], units)
        found["examples"] = examples
        if "importance_weighted" in totals:
            weighted = self.head.report(totals["importance_weighted"], examples, totals["symbols"], units)
            found |= {f"iw/{name}": value for name, value in weighted.items()}
        return found

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and the schedule where there is one."""
        optimizer = self._make_optimizer(self.parameters())
        if self._make_scheduler is None:
            return optimizer
        scheduler = self._make_scheduler(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau):
            return {"optimizer": optimizer, "lr_scheduler": configured(scheduler)}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any | None) -> None:
        """Step the schedule, but not after an update that was left out."""
        if not self.update_left_out:
            super().lr_scheduler_step(scheduler, metric)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip, in bfloat16 too where the optimizer is fused: Lightning refuses it as if there were a loss scale."""
        plugin = self.trainer.precision_plugin
        if isinstance(plugin, MixedPrecision) and plugin.scaler is None and gradient_clip_val is not None:
            algorithm = GradClipAlgorithmType(gradient_clip_algorithm or "norm")
            Precision.clip_gradients(plugin, optimizer, gradient_clip_val, algorithm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        self.step_under_way.update_begins()

    # ---- checkpoints ----

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the symbols stand for, so that the data may be gone, which data it was, and the format.

        Raises:
            FloatingPointError: If weights are not finite: then the checkpoint is not written.
        """
        weights = checkpoint["state_dict"], checkpoint.get(checkpoints.TRAINED_KEY, {})
        self._finite.check_saved(self, weights)
        checkpoint[checkpoints.FORMAT_KEY] = checkpoints.FORMAT
        checkpoint[checkpoints.DATA_KEY] = None if self._trained_on is None else self._trained_on.state()
        if self._trainer is not None:
            self.step_under_way.save(checkpoint, self._trainer)
            keep_validation(checkpoint, self._trainer)
            self._before_validation.take_back(checkpoint, self._trainer)
        checkpoint["symbols"] = None if self._symbols is None else self._symbols.state()
        batches = self.trainer.num_training_batches if self._trainer is not None else math.inf
        checkpoint[checkpoints.BATCHES_KEY] = None if batches == math.inf else batches
        if self._trainer is None or self.trainer.is_global_zero:
            sign(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Learn what the symbols stand for; a trainer has shown its data before.

        Raises:
            ValueError: If the checkpoint was made for other data, its format is another, or its weights are not finite.
        """
        checkpoints.check_format(checkpoint)
        check_callback_states(checkpoint.get("callbacks"), str(self._trainer.ckpt_path if self._trainer else ""))
        if self._trainer is not None:
            self._refuse_not_finite(checkpoint, self._trainer.ckpt_path)
        if self._trainer is not None and self._trainer.state.fn == "fit":
            if self._trained_on is not None:
                self._trained_on.refuse_other(checkpoint, str(self._trainer.ckpt_path))
            self._resumed_batches = self._recounted(checkpoint)
            began = checkpoints.fit_recipe(checkpoint, self.state_dict())
            if began:
                notice(f"not in the checkpoint, so it begins anew: {listed(began)}")
            checkpoints.go_on_training(checkpoint)
            self.step_under_way.load(checkpoint)
            end_epoch_once(checkpoint, self._trainer)
        if checkpoint["symbols"] is None:
            return
        trained_on = restore(checkpoint["symbols"])
        if self._symbols is None:
            self._symbols = trained_on
        refuse_other(trained_on, self._symbols)

    def _recounted(self, checkpoint: dict[str, Any]) -> int | None:
        """Batches of an epoch as a checkpoint counts them: at an epoch's end, they may be others from there on."""
        before: int | None = checkpoint.get(checkpoints.BATCHES_KEY)
        now: int | None = getattr(getattr(self.trainer, "datamodule", None), "batches_per_epoch", None)
        if before is None or now is None or before == now:
            return before
        return now if checkpoints.recount(checkpoint["loops"], before, now) else before

    def _refuse_not_finite(self, checkpoint: dict[str, Any], path: Any) -> None:
        for weights in (checkpoint["state_dict"], checkpoint.get(checkpoints.TRAINED_KEY, {})):
            known = {name: weights[name] for name in learned(self) if name in weights}
            refuse_not_finite(known, f"--ckpt_path {path}")

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls,
        checkpoint_path: str | Path,
        map_location: str | torch.device = "cpu",
        trust: Iterable[str] = (),
        **kwargs: Any,
    ) -> Self:
        """The model of a run, in eval mode. Nothing of a checkpoint is run: ``docs/trust.md``.

        Args:
            checkpoint_path: A run directory, whose best checkpoint is taken, or a checkpoint file.
            map_location: Where its tensors go.
            trust: Modules whose classes and functions a checkpoint may name that no run of this user signed, beside
                those of lit_vae, torch and lightning.
            kwargs: Constructor arguments, for a model that was built in Python rather than from a config.

        Raises:
            FileNotFoundError: If there is no checkpoint.
            ValueError: If the file is no checkpoint of this format, its weights are not finite, or its constructor
                arguments are missing; :class:`lit_vae.trust.refused.Refused` if it names what ``trust`` does not.
        """
        from lit_vae.trust.admission import admitted_hyper_parameters
        from lit_vae.trust.guard import guarded

        path = checkpoints.find(checkpoint_path, "best")
        checkpoint = checkpoints.read(path)
        if not kwargs and "hyper_parameters" not in checkpoint:
            raise ValueError(
                f"{path} holds the weights of a model that was built in Python: "
                f"pass the same parts, load_from_checkpoint(path, backbone=..., head=..., objective=...)"
            )
        # Not by Lightning's own function, which imports what several keys of a checkpoint name.
        with trusting(trust), guarded(checkpoint):
            if "hyper_parameters" in checkpoint:
                settings = admitted_hyper_parameters(checkpoint, str(path))
                vae: Self = instantiate_module(cls, settings | kwargs)
            else:
                vae = cls(**kwargs)
        vae.on_load_checkpoint(checkpoint)
        vae.load_state_dict(checkpoint["state_dict"])
        vae._refuse_not_finite(checkpoint, path)
        return vae.to(map_location).eval()
