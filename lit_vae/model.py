"""What a trained model does: encode, decode, sample, show; with no branch on what the symbols stand for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

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
from lit_vae.latent_stack import LatentStack
from lit_vae.latents import Draw, Latent, Layer
from lit_vae.noise import IndexedNoise, Noise
from lit_vae.rendering import Rendering
from lit_vae.symbols import Symbols

POSITIONS_AT_ONCE = 1 << 14
"""Small examples are drawn together up to so many positions: a step of a text costs little more for many texts."""
LOOKED_AT = 8
"""Batches of a training on a GPU whose symbols are looked at."""


class LatentVariableModel(LightningModule):
    """p(x, z) and q(z | x) over arrays of symbols, and what can be done with them.

    Args:
        backbone: Features to features through latent layers.
        head: How symbols become features and features a distribution.

    Raises:
        ValueError: If they do not fit together.
    """

    def __init__(self, backbone: Backbone, head: DecoderHead) -> None:
        super().__init__()
        if head.width != backbone.width:
            raise ValueError(
                f"the backbone hands over features of width {backbone.width}, the head reads {head.width}: "
                f"give both the same width (on the command line the head's is linked to model.backbone.init_args.width)"
            )
        self.backbone = backbone
        self.head = head
        self._symbols: Symbols | None = None
        self._looked_at = 0

    @property
    def symbols(self) -> Symbols:
        """What the integers stand for: known once a trainer has seen the data, and in every checkpoint.

        Raises:
            ValueError: If neither has happened.
        """
        if self._symbols is None:
            raise ValueError("what the symbols stand for is unknown until the model is fitted or loaded")
        return self._symbols

    def learn(self, symbols: Symbols) -> None:
        """Take in what the data's integers stand for.

        Raises:
            ValueError: If the model was made for other data, or its head or backbone refuses it.
        """
        if self._symbols is not None:
            refuse_other(self._symbols, symbols)
        if (symbols.num_values, tuple(symbols.shape)) != (self.head.num_values, tuple(self.head.shape)):
            raise ValueError(
                f"the head was made for {self.head.num_values} values in shape {list(self.head.shape)}, the data "
                f"'{symbols.name}' has {symbols.num_values} in shape {list(symbols.shape)}: change data or model.head"
            )
        self.head.check_data(symbols)
        self.backbone.check_data(symbols)
        self._symbols = symbols

    def forward(self, batch: Batch, draw: Draw, noise: Noise) -> tuple[SymbolDistribution, list[Latent]]:
        """p(x | z) and the latent layers, top first, z chosen by ``draw``.

        Args:
            batch: What is encoded.
            draw: Chooses z at each layer.
            noise: Where its randomness comes from.

        Raises:
            ValueError: If the batch is of other data than the head is for. In training on a GPU only the first batches
                are looked at symbol by symbol, since that waits for the device.
        """
        self.head.check_batch(batch, values=self._looks_at(batch.x.device))
        features = self.head.embed(batch)
        mask = self.head.position_mask(batch.mask)
        context = self.backbone.bottom_up(features, mask)
        return self._decode(context, features.shape[:-1], draw, noise, mask, batch.mask)

    def _looks_at(self, device: torch.device) -> bool:
        """Whether the next batch's symbols are looked at: in training on a GPU, which has to wait, only at first."""
        self._looked_at += 1
        return not self.training or device.type == "cpu" or self._looked_at <= LOOKED_AT

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
            measured: Whether the KL is kept: that of a pass which draws from the posterior, as in the bound, whatever
                ``draw`` is. Another draw takes one more pass for it.

        Raises:
            ValueError: If there is no example.
        """
        if not len(batch):
            raise ValueError("there is nothing to encode: give at least one example")
        stacks = []
        with self.evaluating():
            for start in range(0, len(batch), batch_size):
                part = batch[start : start + batch_size].to(self.device)
                _, latents = self(part, draw, IndexedNoise(part.index, seed))
                sampled = None
                if measured:
                    plain = draw is from_posterior
                    sampled = latents if plain else self(part, from_posterior, IndexedNoise(part.index, seed))[1]
                positions = self.head.embed(part[:1]).shape[1:-1]
                stacks.append(LatentStack.of(latents, positions, part.index, part.mask, self._symbols, sampled))
        return LatentStack.cat(stacks)

    def information(self, batches: Iterable[Batch]) -> list[Tensor]:
        """Mean KL of each latent variable over examples and positions that exist, [z] of each layer, nats.

        Which variables are worth keeping: see :func:`lit_vae.draws.most_informative`.

        Args:
            batches: The examples, at least one.
        """
        places, sums = [0] * len(self.layers()), [torch.zeros((), dtype=torch.float64)] * len(self.layers())
        for batch in batches:
            layers = self.encode(batch).layers
            places = [count + layer.places for count, layer in zip(places, layers, strict=True)]
            nats = [layer.nats.flatten(0, -2).sum(0).cpu().double() for layer in layers]
            sums = [total + more for total, more in zip(sums, nats, strict=True)]
        return [total / count for total, count in zip(sums, places, strict=True)]

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
        batch_size: int | None = None,
    ) -> Rendering:
        """Pictures or texts from the prior.

        Args:
            num: How many.
            temperature: Multiplies the standard deviation of the prior: one number, or one for each layer or
                resolution that is named, as ``{"4x4": 0.8}``.
            decoding: Choices made in the head; None samples its distribution.
            seed: Other seeds, other samples. Sample i is the same whatever ``num`` and ``batch_size``.
            batch_size: How many at a time; None for 64, or more where they are small.

        Raises:
            ValueError: If ``num`` is less than 1, or a temperature is negative or of no layer.
        """
        if num < 1:
            raise ValueError(f"the number of samples, num, counts up from 1, got {num}")
        check_temperature(temperature, self.layers())
        shown = []
        with self.evaluating():
            positions = self.symbols.fill(self.head.positions)
            at_once = batch_size or max(64, POSITIONS_AT_ONCE // math.prod(positions))
            for index in torch.arange(num, device=self.device).split(at_once):
                noise = IndexedNoise(index, seed)
                distribution, _ = self.generate([len(index), *positions], FromPrior(temperature), noise)
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
