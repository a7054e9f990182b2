"""The one LightningModule: backbone, head and objective, with no branch on what the symbols stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable, ReduceLROnPlateau
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from lightning.pytorch.utilities.types import LRSchedulerTypeUnion, OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_vae import checkpoints
from lit_vae.backbones import Backbone
from lit_vae.batch import Batch
from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions import SymbolDistribution
from lit_vae.draws import (
    FromPrior,
    Given,
    Masked,
    Temperature,
    TopLayers,
    check_temperature,
    from_posterior,
    posterior_mean,
)
from lit_vae.heads import DecoderHead
from lit_vae.importance import importance_weighted_nll
from lit_vae.latent_stack import LatentStack
from lit_vae.latents import Draw, Latent, Layer
from lit_vae.metrics import Likelihood
from lit_vae.noise import IndexedNoise, Noise, StreamNoise, stream_seed
from lit_vae.objectives import Objective, Terms
from lit_vae.regularizers import Pass, Regularizer, penalties
from lit_vae.rendering import Rendering
from lit_vae.symbols import Symbols, restore


class LitVAE(LightningModule):
    """A variational autoencoder over arrays of symbols.

    Args:
        backbone: Features to features through latent layers.
        head: How symbols become features and features a distribution.
        objective: What is minimised.
        optimizer: Makes the optimizer from the parameters.
        scheduler: Makes a learning-rate schedule from the optimizer; stepped once per optimizer step, or, where it is
            ``lightning.pytorch.cli.ReduceLROnPlateau``, once per epoch by the metric that it monitors.
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
        super().__init__()
        # Under the command line these are plain values, from which a checkpoint rebuilds the model. Built in Python
        # they would be the modules themselves, which a checkpoint that loads with weights_only must not hold.
        if _given_hyperparameters.get() is not None:
            self.save_hyperparameters(logger=False)
        if head.width != backbone.width:
            raise ValueError(
                f"the backbone hands over features of width {backbone.width}, the head reads {head.width}: "
                f"give both the same width (on the command line the head's is linked to model.backbone.init_args.width)"
            )
        self.backbone = backbone
        self.head = head
        self.objective = objective
        self._make_optimizer = optimizer
        self._make_scheduler = scheduler
        self._symbols: Symbols | None = None
        self._under: tuple[Objective | None, int] = (None, 0)
        self.importance_samples = 0
        """How many samples a test's importance-weighted bound has; 0 for none."""
        self._seed = 0
        self.update_left_out = False
        layers = backbone.layers([n if n is not None else 1 for n in head.positions])
        self.likelihood = Likelihood([layer.name for layer in layers])
        self.regularizers = nn.ModuleList(regularizers or [])
        for regularizer in regularizers or []:
            regularizer.setup(self)

    @property
    def symbols(self) -> Symbols:
        """What the integers stand for: known once a trainer has seen the data, and in every checkpoint.

        Raises:
            ValueError: If neither has happened.
        """
        if self._symbols is None:
            raise ValueError("what the symbols stand for is unknown until the model is fitted or loaded")
        return self._symbols

    def forward(self, batch: Batch, draw: Draw, noise: Noise) -> tuple[SymbolDistribution, list[Latent]]:
        """p(x | z) and the latent layers, top first, z chosen by ``draw``.

        Args:
            batch: What is encoded.
            draw: Chooses z at each layer.
            noise: Where its randomness comes from.
        """
        features = self.head.embed(batch)
        mask = self.head.position_mask(batch.mask)
        context = self.backbone.bottom_up(features, mask)
        return self._decode(context, features.shape[:-1], draw, noise, mask, batch.mask)

    def generate(self, shape: Sequence[int], draw: Draw, noise: Noise) -> tuple[SymbolDistribution, list[Latent]]:
        """p(x | z) and the latent layers with nothing encoded.

        Args:
            shape: Batch and positions, [B, *S].
            draw: Chooses z at each layer, from the prior alone.
            noise: Where its randomness comes from.
        """
        return self._decode(None, shape, draw, noise, None, None)

    def _decode(
        self,
        context: Any | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Noise,
        positions: Tensor | None,
        mask: Tensor | None,
    ) -> tuple[SymbolDistribution, list[Latent]]:
        layers = self.backbone.layers(shape[1:])
        tensors = [noise.normal((shape[0], *layer.shape)).to(self.device) for layer in layers]
        features, latents = self.backbone.top_down(context, shape, draw, tensors, positions)
        return self.head(features, mask), latents

    def train_under(self, objective: Objective | None, since: int) -> None:
        """Train under another objective for now; evaluations keep to the model's own.

        Args:
            objective: Which; None for the model's own.
            since: Optimizer steps at which the schedules of the objective begin.
        """
        self._under = (objective, since)  # in a tuple: no part of the model, nor of its checkpoints

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        """The bound of a batch, z drawn from the posterior."""
        distribution, latents = self(batch, from_posterior, noise)
        return self.objective(distribution.log_prob(batch.x), latents, batch.counts, self.global_step)

    # ---- training and evaluation ----

    def setup(self, stage: str) -> None:
        """Learn from the trainer's data module what the symbols stand for."""
        symbols = getattr(getattr(self.trainer, "datamodule", None), "symbols", None)
        if symbols is not None:
            self.learn(symbols)

    def learn(self, symbols: Symbols) -> None:
        """Take in what the data's integers stand for.

        Raises:
            ValueError: If the model was made for other data.
        """
        if (symbols.num_values, tuple(symbols.shape)) != (self.head.num_values, tuple(self.head.shape)):
            raise ValueError(
                f"the head was made for {self.head.num_values} values in shape {list(self.head.shape)}, the data "
                f"'{symbols.name}' has {symbols.num_values} in shape {list(symbols.shape)}: change data or model.head"
            )
        if self._symbols is not None:
            refuse_other(self._symbols, symbols)
        self._symbols = symbols

    def on_fit_start(self) -> None:
        """Key the noise of training by the seed of the run."""
        self._seed = torch.initial_seed()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss, []."""
        key = (self._seed, self.global_rank, self.global_step, batch_idx)
        torch.manual_seed(stream_seed(*key))  # dropout alone uses the global generator: now it resumes, too
        noise = StreamNoise(*key, device=self.device)
        distribution, latents = self(batch, from_posterior, noise)
        objective, since = self._under
        step = self.global_step - since
        terms = (objective or self.objective)(distribution.log_prob(batch.x), latents, batch.counts, step)
        added = penalties(self.regularizers, self, Pass(batch, distribution, latents, terms, noise, self.global_step))
        loss = terms.loss_with(torch.stack(list(added.values())).sum()) if added else terms.loss
        nelbo, examples = terms.nelbo.detach().sum(), torch.tensor(len(batch))
        units = {name: unit.sum() for name, unit in batch.units.items()}
        rate = self.head.report(nelbo, examples, batch.counts.sum(), units)[self.head.rate_name]
        self.log(f"train/{self.head.rate_name}", rate, prog_bar=True, batch_size=len(batch))
        self.log_dict(
            {
                "train/loss": loss.detach(),
                "train/kl_weight": terms.kl_weight,
                "train/nelbo": nelbo / len(batch),
                "train/rate": terms.rate.detach().mean(),
                "train/distortion": terms.distortion.detach().mean(),
                **{f"train/reg/{name}": nats.detach() for name, nats in added.items()},
            },
            batch_size=len(batch),
        )
        return loss

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

    def on_validation_epoch_end(self) -> None:
        """Log the validation split's bound."""
        self._log_likelihood("val")

    def on_test_epoch_end(self) -> None:
        """Log the test split's bound."""
        self._log_likelihood("test")

    def _log_likelihood(self, split: str) -> None:
        found = self.summary(self.likelihood)
        self.log(f"{split}/{self.head.rate_name}", found.pop(self.head.rate_name), prog_bar=True)
        self.log_dict({f"{split}/{name}": value for name, value in found.items()})

    def summary(self, likelihood: Likelihood) -> dict[str, Tensor]:
        """The bound of a split, per example and in the units of the field, [] each; empties what it was kept in."""
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
        if "importance_weighted" in totals:
            weighted = self.head.report(totals["importance_weighted"], examples, totals["symbols"], units)
            nll = {"nll": totals["importance_weighted"] / examples} | weighted
            found |= {f"importance_weighted/{name}": value for name, value in nll.items()}
        return found

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and the schedule where there is one."""
        optimizer = self._make_optimizer(self.parameters())
        if self._make_scheduler is None:
            return optimizer
        scheduler = self._make_scheduler(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau):
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": scheduler.monitor}}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any | None) -> None:
        """Step the schedule, but not after an update that was left out."""
        if metric is not None or not self.update_left_out:
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

    # ---- latents ----

    def layers(self, positions: Sequence[int] | None = None) -> list[Layer]:
        """The latent layers of one example, top first.

        Args:
            positions: Of the example, S; None for a picture's, or for the longest text that generation writes.
        """
        return self.backbone.layers(self.symbols.fill(self.head.positions) if positions is None else positions)

    @torch.no_grad()
    def encode(
        self,
        batch: Batch,
        draw: Draw = from_posterior,
        seed: int = 0,
        batch_size: int = 64,
        measured: bool = True,
    ) -> LatentStack:
        """The latent layers of some examples.

        Args:
            batch: What is encoded.
            draw: Chooses z at each layer: ``from_posterior``, or ``posterior_mean`` for the same z whatever the seed.
            seed: Other seeds, other draws. An example's draw is the same in any batch.
            batch_size: How many at a time.
            measured: Whether the KL is kept. Where a flow is part of the posterior and ``draw`` takes z from elsewhere,
                it takes long: the flow is inverted.
        """
        stacks = []
        with self.evaluating():
            for start in range(0, len(batch), batch_size):
                part = batch[start : start + batch_size].to(self.device)
                _, latents = self(part, draw, IndexedNoise(part.index, seed))
                positions = self.head.embed(part[:1]).shape[1:-1]
                stacks.append(LatentStack.of(latents, positions, part.index, part.mask, self._symbols, measured))
        return LatentStack.cat(stacks)

    def information(self, batches: Iterable[Batch]) -> list[Tensor]:
        """Mean KL of each latent variable over examples and positions, [z] of each layer, nats.

        Which variables are worth keeping: see :func:`lit_vae.draws.most_informative`.

        Args:
            batches: The examples, at least one.
        """
        count, sums = 0, [torch.zeros((), dtype=torch.float64)] * len(self.layers())
        for batch in batches:
            nats = self.encode(batch).information
            sums = [total + len(batch) * mean.double().cpu() for total, mean in zip(sums, nats, strict=True)]
            count += len(batch)
        return [total / count for total in sums]

    def decode(
        self,
        stack: LatentStack,
        mask: Sequence[Tensor] | None = None,
        temperature: Temperature = 1.0,
        seed: int = 0,
    ) -> SymbolDistribution:
        """p(x | z) of examples that were encoded: exactly that of the pass which encoded them.

        An autoregressive head computes its likelihoods when they are asked for, in the mode that the model is in then:
        call ``eval()`` on a model that trains.

        Args:
            stack: The latents; what lower layers it lacks is drawn from the prior.
            mask: True where z is the stack's, and False where it is drawn from the prior, of each layer, top first,
                bool, broadcastable to [B, *S, z]; None for the stack's z everywhere.
            temperature: Multiplies the standard deviation of the prior in what is drawn from it; 0 takes its mean.
            seed: Of what is drawn from the prior.

        Raises:
            ValueError: If another model wrote the stack.
        """
        return self._replay(stack, mask, temperature, IndexedNoise(stack.index, seed))

    def _replay(
        self, stack: LatentStack, mask: Sequence[Tensor] | None, temperature: Temperature, noise: Noise
    ) -> SymbolDistribution:
        stack = stack.to(self.device)
        layers = self.layers(stack.positions)
        stack.check(layers, self._symbols)
        check_temperature(temperature, layers)
        prior = FromPrior(temperature)
        draw: Draw = TopLayers(len(stack.layers), Given([layer.z for layer in stack.layers]), prior)
        if mask is not None:
            if len(mask) != len(layers):
                raise ValueError(f"a mask has an entry for each of the {len(layers)} latent layers, got {len(mask)}")
            draw = Masked(mask, draw, prior)
        shape = [len(stack), *stack.positions]
        with self.evaluating():
            return self._decode(None, shape, draw, noise, self.head.position_mask(stack.mask), stack.mask)[0]

    # ---- what a person sees ----

    @torch.no_grad()
    def sample(
        self,
        num: int,
        temperature: Temperature = 1.0,
        decoding: Decoding | None = None,
        seed: int = 0,
        batch_size: int = 64,
    ) -> Rendering:
        """Pictures or texts from the prior.

        Args:
            num: How many.
            temperature: Multiplies the standard deviation of the prior: one number, or one for each layer or
                resolution that is named, as ``{"4x4": 0.8}``.
            decoding: Choices made in the head; None samples its distribution.
            seed: Other seeds, other samples. Sample i is the same whatever ``num`` and ``batch_size``.
            batch_size: How many at a time.

        Raises:
            ValueError: If ``num`` is less than 1, or a temperature is negative or of no layer.
        """
        if num < 1:
            raise ValueError(f"the number of samples, num, counts up from 1, got {num}")
        check_temperature(temperature, self.layers())
        shown = []
        with self.evaluating():
            for index in torch.arange(num, device=self.device).split(batch_size):
                noise = IndexedNoise(index, seed)
                shape = [len(index), *self.symbols.fill(self.head.positions)]
                distribution, _ = self.generate(shape, FromPrior(temperature), noise)
                shown.append(self.head.show(distribution, decoding or Decoding(), noise))
        return self.symbols.render(torch.cat(shown))

    def reconstruct(self, batch: Batch, draw: Draw = posterior_mean, seed: int = 0) -> Rendering:
        """Each example beside its reconstruction, decoded greedily.

        Args:
            batch: The examples.
            draw: Chooses z at each layer: the posterior's mean, or ``TopLayers`` or ``Masked`` to see what few layers
                or few latent variables tell.
            seed: Of what is drawn.
        """
        original = self.symbols.render(batch.x, batch.mask)
        return original.beside(self.show(self.encode(batch, draw, seed, measured=False)))

    @torch.no_grad()
    def show(
        self,
        stack: LatentStack,
        mask: Sequence[Tensor] | None = None,
        temperature: Temperature = 1.0,
        decoding: Decoding = GREEDY,
        seed: int = 0,
        batch_size: int = 64,
    ) -> Rendering:
        """What was encoded, decoded to pictures or texts.

        A text runs until it ends, unless its latent layers lie at its positions: then there are no more than were read.

        Args:
            stack: As in :meth:`decode`, and the next two.
            mask: Which z are the stack's.
            temperature: Of the prior, where others are drawn.
            decoding: Choices made in the head.
            seed: Of what is drawn from the prior, and of the head.
            batch_size: How many at a time; each entry of a mask is then one for all examples.
        """
        longest = self.symbols.fill(self.head.positions)
        if [layer.shape for layer in self.layers(longest)] == [layer.shape for layer in self.layers(stack.positions)]:
            stack = dataclasses.replace(stack, positions=longest, mask=None)
        shown = []
        with self.evaluating():
            for start in range(0, len(stack), batch_size):
                part = stack[start : start + batch_size].to(self.device)
                noise = IndexedNoise(part.index, seed)
                shown.append(self.head.show(self._replay(part, mask, temperature, noise), decoding, noise))
        return self.symbols.render(torch.cat(shown))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """All modules in eval mode for a while."""
        modes = [(module, module.training) for module in self.modules()]
        self.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training

    # ---- checkpoints ----

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the symbols stand for, so that the data may be gone, and the format."""
        checkpoint[checkpoints.FORMAT_KEY] = checkpoints.FORMAT
        checkpoint["symbols"] = None if self._symbols is None else self._symbols.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Learn what the symbols stand for; a trainer has shown its data before.

        Raises:
            ValueError: If the checkpoint was made for other data, or its format is another.
        """
        checkpoints.check_format(checkpoint)
        if self._trainer is not None and self._trainer.state.fn == "fit":
            checkpoints.go_on_training(checkpoint)
        if checkpoint["symbols"] is None:
            return
        trained_on = restore(checkpoint["symbols"])
        if self._symbols is None:
            self._symbols = trained_on
        refuse_other(trained_on, self._symbols)

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls, checkpoint_path: str | Path, map_location: Any = "cpu", **kwargs: Any
    ) -> Self:
        """The model of a run, in eval mode.

        Args:
            checkpoint_path: A run directory, whose best checkpoint is taken, or a checkpoint file.
            map_location: Where its tensors go.
            kwargs: Constructor arguments, for a model that was built in Python rather than from a config.

        Raises:
            FileNotFoundError: If there is no checkpoint.
            ValueError: If the file is no checkpoint of this format, or its constructor arguments are missing.
        """
        path = checkpoints.find(checkpoint_path, "best")
        checkpoint = checkpoints.read(path)
        if not kwargs and "hyper_parameters" not in checkpoint:
            raise ValueError(
                f"{path} holds the weights of a model that was built in Python: "
                f"pass the same parts, load_from_checkpoint(path, backbone=..., head=..., objective=...)"
            )
        return super().load_from_checkpoint(path, map_location=map_location, weights_only=True, **kwargs).eval()


def refuse_other(trained_on: Symbols, given: Symbols) -> None:
    """Refuse data whose integers stand for something else than those a model was trained on.

    Raises:
        ValueError: If they do.
    """
    if not trained_on.agrees_with(given):
        raise ValueError(
            f"the model was trained on '{trained_on.name}', {trained_on.num_values} values in shape "
            f"{list(trained_on.shape)}, which stand for something else than those of the data, '{given.name}', "
            f"{given.num_values} values in shape {list(given.shape)}: evaluate on the data that it was trained on, "
            f"or text with its tokenizer, lit_vae.tokenizers.OfRun; change data"
        )
