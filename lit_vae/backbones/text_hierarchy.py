"""Latent layers over a whole text and over ever shorter runs of its tokens."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.convolutions import shrunk, soft_gaussian
from lit_vae.backbones.gated import GatedBlock
from lit_vae.backbones.hierarchy import LatentBlock
from lit_vae.backbones.text_blocks import begun, in_runs, runs_of
from lit_vae.backbones.text_encoder import EncoderBlock, TextEncoder, check_heads
from lit_vae.backbones.vectors import at_least_one, text_only
from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer

WAVES = 32
"""Sines and cosines that tell a position."""


class HierarchicalTextVAE(Backbone):
    """Latent vectors of the whole text, above latent layers over runs of its tokens, each given all those above.

    The prior of a run is made of the latent vectors of the text, of the runs that it lies in, and of the runs before:
    never of one that begins later. So a text needs the runs that begin in it and no others, whatever their number, and
    no feature tells how many tokens there are. Its posterior sees, besides, what a Transformer made of the whole text.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (None,).
        width: Channels of the way down, and of the features handed to the head.
        hidden: Channels of the Transformer that reads.
        latent: Numbers of the latent vector of a run.
        whole_latent: Numbers of a latent vector of the text.
        whole: Latent vectors of the text, one given the other.
        blocks: Latent layers at each length of runs, from single tokens up: [0, 1, 1] has one over ``stride`` tokens
            and, above it, one over ``stride`` squared.
        stride: How many times as long the runs of the next resolution are.
        depth: Layers of the Transformer that reads.
        heads: Of the attention on either way.
        dropout: Part of what is read, of the attention and of what each layer adds that is zeroed in training.

    Raises:
        ValueError: If ``shape`` is no text, a number is out of range, or there is no latent layer.

    Source:
        The image hierarchies' top-down inference (Sønderby et al., 2016, https://arxiv.org/abs/1602.02282) over tokens.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        width: int = 128,
        hidden: int = 256,
        latent: int = 8,
        whole_latent: int = 32,
        whole: int = 1,
        blocks: Sequence[int] = (0, 1, 1),
        stride: int = 4,
        depth: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(width)
        text_only(shape, "HierarchicalTextVAE")
        at_least_one(width=width, hidden=hidden, latent=latent, whole_latent=whole_latent, depth=depth, heads=heads)
        if stride < 2 or min(whole, *blocks, 0) < 0 or not blocks or whole + sum(blocks) < 1:
            raise ValueError(
                f"of model.backbone.init_args stride counts up from 2, whole and each of blocks from 0, and there is "
                f"at least one latent layer: got {stride}, {whole} and {list(blocks)}"
            )
        check_heads(width, heads)
        self.encoder = TextEncoder(embed_width, hidden, depth, heads, dropout)
        siblings = whole + sum(blocks)
        self.top = nn.Parameter(0.1 * torch.randn(width))
        whole_refine = [GatedBlock(width, 2 * width) for _ in range(whole)]
        self.whole = nn.ModuleList(TextLatent(width, hidden, whole_latent, siblings, part) for part in whole_refine)
        self.runs = [(stride**level, count) for level, count in reversed([*enumerate(blocks)])]
        self.resolutions = nn.ModuleList(
            Resolution(width, hidden, latent, heads, dropout, size, count, siblings) for size, count in self.runs
        )
        self.norm = nn.LayerNorm(width)
        self.whole_latent = whole_latent
        self.latent = latent

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        shapes = [(f"text.{number}", (1, self.whole_latent)) for number in range(len(self.whole))]
        for size, count in self.runs:
            shapes += [(f"every{size}.{number}", (runs_of(shape[0], size), self.latent)) for number in range(count)]
        return [Layer(index, name, shape_of_z) for index, (name, shape_of_z) in enumerate(shapes)]

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> Seen:
        """What was read: of the text, and of each of its tokens."""
        whole, tokens = self.encoder(features, mask)
        return Seen(whole.unsqueeze(1), tokens, mask)

    def top_down(
        self,
        context: Seen | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        layers = self.layers(shape[1:])
        state = self.top.expand(shape[0], 1, -1)
        latents: list[Latent] = []
        seen = None if context is None else context.whole
        for block in self.whole:
            state, latent = block(state, seen, draw, noise[len(latents)], layers[len(latents)])
            latents.append(latent)
        above = 0
        for resolution, (size, _) in zip(self.resolutions, self.runs, strict=True):
            assert isinstance(resolution, Resolution)
            state = resolution.enter(state, above, shape[1])
            seen = None if context is None else context.over(size)
            for block in resolution.blocks:
                state, latent = block(state, seen, draw, noise[len(latents)], layers[len(latents)])
                latents.append(dataclasses.replace(latent, mask=begun(mask, size)))
            above = size
        return self.norm(state), latents


class Seen(NamedTuple):
    """What a text's posteriors are made of.

    Args:
        whole: Of the text, [B, 1, hidden].
        tokens: Of its tokens, [B, L, hidden], zero where none exists.
        mask: Tokens that exist, [B, L], bool; None for all.
    """

    whole: Tensor
    tokens: Tensor
    mask: Tensor | None

    def over(self, size: int) -> Tensor:
        """Of runs of ``size`` tokens: the average of those that exist, [B, runs, hidden]."""
        if size == 1:
            return self.tokens
        exists = self.tokens.new_ones(self.tokens.shape[:2]) if self.mask is None else self.mask.to(self.tokens)
        count = in_runs(exists.unsqueeze(-1), size).sum(2).clamp(min=1)
        return in_runs(self.tokens, size).sum(2) / count


class Resolution(nn.Module):
    """The way down over runs of one length.

    Args:
        width: Channels of the state.
        hidden: Channels of what is seen.
        latent: Numbers of z.
        heads: Of the attention.
        dropout: Part of what is added that is zeroed in training.
        size: Tokens of a run.
        count: Latent layers; where there are none, the runs only hear of those before.
        siblings: Latent layers of the model.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        latent: int,
        heads: int,
        dropout: float,
        size: int,
        count: int,
        siblings: int,
    ) -> None:
        super().__init__()
        self.size = size
        self.place = nn.Linear(WAVES, width, bias=False)
        refine = [EncoderBlock(width, heads, dropout, siblings**-0.5, causal=True) for _ in range(max(1, count))]
        self.mix = refine[0] if count == 0 else nn.Identity()
        self.blocks = nn.ModuleList(TextLatent(width, hidden, latent, siblings, part) for part in refine[:count])

    def enter(self, state: Tensor, size: int, length: int) -> Tensor:
        """The state over these runs, [B, runs, width].

        Args:
            state: Over the runs above, [B, *, width].
            size: Tokens of those; 0 for the whole text.
            length: Tokens of the text.
        """
        runs = runs_of(length, self.size)
        state = state.expand(-1, runs, -1) if size == 0 else state.repeat_interleave(size // self.size, 1)[:, :runs]
        return self.mix(state + self.place(waves(runs, state)))


class TextLatent(LatentBlock):
    """One latent layer over the runs of a text.

    Args:
        width: Channels of the state.
        hidden: Channels of what is seen.
        latent: Numbers of z.
        siblings: Latent layers of the model.
        refine: The state after z, same shape; a run hears of none that begins later.
    """

    def __init__(self, width: int, hidden: int, latent: int, siblings: int, refine: nn.Module) -> None:
        super().__init__(None)
        self.prior = proposal(width, width, latent)
        self.posterior = proposal(width + hidden, width, latent)
        self.project = shrunk(nn.Linear(latent, width), 1 / math.sqrt(siblings))
        self.refine = refine

    def propose(self, state: Tensor, seen: Tensor | None) -> tuple[Tensor, Gaussian, Gaussian | None]:
        """As its contract says, for a state [B, runs, width] and seen [B, runs, hidden]."""
        prior = soft_gaussian(self.prior(state))
        if seen is None:
            return state, prior, None
        return state, prior, soft_gaussian(self.posterior(torch.cat([state, seen], -1)))

    def absorb(self, state: Tensor, z: Tensor) -> Tensor:
        return self.refine(state + self.project(z.to(self.project.weight.dtype)))


def proposal(inputs: int, width: int, latent: int) -> nn.Sequential:
    """Means and log-scales from features; near 0 at first, so that posterior and prior begin alike."""
    return nn.Sequential(
        nn.LayerNorm(inputs), nn.Linear(inputs, width), nn.GELU(), shrunk(nn.Linear(width, 2 * latent), 0.1)
    )


def waves(count: int, like: Tensor) -> Tensor:
    """Sines and cosines of positions 0 to ``count`` - 1, [count, WAVES], in the type of ``like``."""
    speeds = 10_000.0 ** (-torch.arange(WAVES // 2, device=like.device) / (WAVES // 2))
    angles = torch.arange(count, device=like.device).unsqueeze(1) * speeds
    return torch.cat([angles.sin(), angles.cos()], -1).to(like.dtype)
