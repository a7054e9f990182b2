"""The very deep VAE: tens of latent layers, each a block of convolutions at one resolution."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, gelu

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.bottleneck import Bottleneck
from lit_vae.backbones.convolutions import picture_size, shrunk
from lit_vae.backbones.hierarchy import (
    AddingBlock,
    BiasMaps,
    Levels,
    ScaleForm,
    Upsample,
    channels_first,
    descend,
    fit_channels,
    gaussian,
    learned_bias,
    relative,
    run,
    scale_link,
    top_bias,
)
from lit_vae.backbones.notation import parse_decoder, parse_encoder
from lit_vae.distributions import Gaussian
from lit_vae.distributions.scales import ScaleLink
from lit_vae.latents import Draw, Latent, Layer


class VDVAE(Backbone):
    """A very deep VAE. Pictures of any size that the resolutions divide, also of another than it was made for.

    Resolutions are relative: the first of ``enc_blocks`` stands for the picture's own, so that strings written for
    32x32 read 64x64 or 32x96 as well, each level twice as large or three times as wide. Which pixels are observed is
    ignored: the head shows a hidden one as mid-grey.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (H, W).
        enc_blocks: The bottom-up pass, as in the paper's code: ``32x11,32d2,16x6`` is eleven blocks at 32x32, one after
            which the picture is halved, six at 16x16.
        dec_blocks: The top-down pass, a latent layer to a block: ``1x1,4m1,4x2`` is one at 1x1, one that enters 4x4
            from it, two more at 4x4.
        width: Channels at the picture's own resolution, and of the features handed to the head.
        widths: Channels from a resolution down to the next that is named, as {512: 32, 128: 512}; elsewhere ``width``.
        latent: Channels of each latent layer (zdim).
        bottleneck: Channels inside a block over those outside (bottleneck_multiple).
        scale_form: ``exp``: the network says the logarithms of scales; ``softplus``: scales are
            ln(1 + exp(beta a)) / beta of what it says, with a slope of at most 1.
        softplus_beta: Beta.
        residual_posterior: The posterior is given relative to the prior: its mean added, its scale multiplied.
        bias_maps: What the top-down pass adds where it enters a resolution: ``learned`` for each position (resized
            where the picture has another size), ``shared`` by all positions, or ``none``; the top keeps a shared one.
        no_bias_above: Largest resolution that has one.
        input_mean: Grey level, of 0 to 255, that the network sees as 0. It and ``input_std`` undo the head's scaling
            to [-1, 1] and do the paper's, whatever the number of grey levels; 127.5 keeps the head's.
        input_std: Grey levels, of 0 to 255, that the network sees as 1.
        recompute: Keep only what enters each block and compute its activations again in the backward pass: less memory
            for about a third more time.

    Raises:
        ValueError: If ``shape`` is no picture's or its sides are not divisible, a block string does not parse, or a
            number is out of its range.

    Source:
        Child, 2021, Very deep VAEs generalize autoregressive models and can outperform them on images,
        https://arxiv.org/abs/2011.10650.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        enc_blocks: str,
        dec_blocks: str,
        width: int = 384,
        widths: Mapping[int, int] | None = None,
        latent: int = 16,
        bottleneck: float = 0.25,
        scale_form: ScaleForm = "exp",
        softplus_beta: float = 0.6931472,
        residual_posterior: bool = False,
        bias_maps: BiasMaps = "learned",
        no_bias_above: int = 64,
        input_mean: float = 127.5,
        input_std: float = 127.5,
        recompute: bool = False,
    ) -> None:
        super().__init__(width)
        encoder = parse_encoder(enc_blocks)
        decoder = parse_decoder(dec_blocks, encoder)
        self.widths = spread(width, widths or {}, encoder)
        middles = {resolution: int(bottleneck * channels) for resolution, channels in self.widths.items()}
        if min(latent, *middles.values()) < 1 or not input_std > 0:
            raise ValueError(
                f"latent, input_std, and bottleneck times each width, of model.backbone.init_args, must be above 0 "
                f"(at least 1 channel), got {latent}, {input_std}, and {bottleneck} times {list(self.widths.values())}"
            )
        self.recompute = recompute
        self.input_mean, self.input_std = input_mean / 127.5 - 1, input_std / 127.5
        self.reads = [resolution for resolution, _ in decoder]
        self.levels = Levels(tuple(decoder[-1][0] // resolution for resolution in self.reads), latent, "enc_blocks")
        size, own, top = picture_size(shape, "VDVAE"), self.reads[-1], self.reads[0]

        self.read = shrunk(nn.Conv2d(embed_width, width, 3, padding=1), 1.0)
        self.encoder = nn.ModuleList(
            EncoderBlock(self.widths[level], middles[level], level, pool, self.widths[level // pool], len(encoder))
            for level, pool in encoder
        )
        self.top = top_bias(bias_maps, self.widths[top], self.levels.size_at(own // top, size))
        link = scale_link(scale_form, softplus_beta)
        self.decoder = nn.ModuleList()
        for level, source in decoder:
            enter = None
            if source is not None:
                form: BiasMaps = bias_maps if level <= no_bias_above else "none"
                bias = learned_bias(form, self.widths[level], self.levels.size_at(own // level, size))
                enter = Upsample(level // source, self.widths[level], bias)
            sizes = self.widths[level], middles[level], latent, kernel(level), len(decoder)
            self.decoder.append(VeryDeepBlock(enter, *sizes, link, residual_posterior))
        self.gain = nn.Parameter(torch.ones(1, width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, width, 1, 1))

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return self.levels.layers(shape)

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> list[Tensor]:
        """What each latent layer sees: the last state at its resolution, activated, [B, width, H_l, W_l], top first."""
        self.layers(features.shape[1:-1])
        x = self.read(channels_first((features - self.input_mean) / self.input_std))
        seen = {self.reads[-1]: x}
        for block in self.encoder:
            assert isinstance(block, EncoderBlock)
            x = run(block, x, recompute=self.recompute)
            seen[block.leads_to] = x
        active = {level: gelu(state) for level, state in seen.items()}
        return [active[level] for level in self.reads]

    def top_down(
        self,
        context: list[Tensor] | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        layers = self.layers(shape[1:])
        state, latents = descend(self.decoder, self.top, context, layers, draw, noise, self.recompute)
        return (state * self.gain + self.bias).movedim(1, -1), latents


class EncoderBlock(nn.Module):
    """A residual cell, then pooling, [B, out_width, H / pool, W / pool] from [B, width, H, W].

    Args:
        width: Channels.
        middle: Channels inside the cell.
        level: The resolution.
        pool: What it is divided by.
        out_width: Channels afterwards: added ones are zero.
        siblings: Blocks of the pass.
    """

    def __init__(self, width: int, middle: int, level: int, pool: int, out_width: int, siblings: int) -> None:
        super().__init__()
        self.leads_to = level // pool
        self.pool = pool
        self.out_width = out_width
        self.cell = cell(width, middle, width, kernel(level), math.sqrt(1 / siblings), residual=True)

    def forward(self, x: Tensor) -> Tensor:
        """[B, out_width, H / pool, W / pool]."""
        x = self.cell(x)
        return fit_channels(avg_pool2d(x, self.pool) if self.pool > 1 else x, self.out_width)


class VeryDeepBlock(AddingBlock):
    """One latent layer. Its prior starts as the standard normal and adds nothing to the state.

    Args:
        enter: Takes the state into the block's resolution where it is the first there; None elsewhere.
        width: Channels of the state.
        middle: Channels inside a cell.
        latent: Channels of z.
        kernel_size: Of the cells.
        siblings: Latent layers of the model.
        link: Makes log-scales.
        residual: Whether the posterior is given relative to the prior.
    """

    def __init__(
        self,
        enter: nn.Module | None,
        width: int,
        middle: int,
        latent: int,
        kernel_size: int,
        siblings: int,
        link: ScaleLink,
        residual: bool,
    ) -> None:
        share = math.sqrt(1 / siblings)
        super().__init__(
            enter,
            project=shrunk(nn.Conv2d(latent, width, 1), share),
            refine=cell(width, middle, width, kernel_size, share, residual=True),
        )
        self.link = link
        self.residual = residual
        self.parts = [2 * latent, width]
        self.posterior = cell(2 * width, middle, 2 * latent, kernel_size)
        self.prior = cell(width, middle, 2 * latent + width, kernel_size, 0.0)

    def propose(self, state: Tensor, seen: Tensor | None) -> tuple[Tensor, Gaussian, Gaussian | None]:
        active = gelu(state)
        parameters, features = self.prior.of_active(active).split(self.parts, 1)
        prior = gaussian(parameters, self.link)
        if seen is None:
            return state + features, prior, None
        posterior = gaussian(self.posterior.of_active(active, seen), self.link)
        return state + features, prior, relative(posterior, prior) if self.residual else posterior


def cell(
    inputs: int, middle: int, outputs: int, kernel_size: int, share: float = 1.0, residual: bool = False
) -> Bottleneck:
    """A bottleneck without random biases, the weights of its last convolution multiplied by ``share``."""
    made = Bottleneck(inputs, middle, outputs, kernel_size, gelu, residual)
    for convolution in (made.narrow, made.first, made.second):
        shrunk(convolution, 1.0)
    shrunk(made.widen, share)
    return made


def kernel(level: int) -> int:
    """Size of the kernels at a resolution: where there are only 2x2 positions, 1."""
    return 3 if level > 2 else 1


def spread(width: int, widths: Mapping[int, int], encoder: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Channels at each resolution.

    Args:
        width: At the first resolution.
        widths: From a resolution down to the next that is named.
        encoder: Resolution of each block, and what it is divided by after it.

    Raises:
        ValueError: If a resolution is named that there is not, or one is given no channels.
    """
    spread: dict[int, int] = {}
    for level in [encoder[0][0], *(level // pool for level, pool in encoder)]:
        if level not in spread:
            width = spread[level] = widths.get(level, width)
    unknown = sorted(set(widths) - set(list(spread)[1:]))
    if unknown or min(spread.values()) < 1:
        raise ValueError(
            f"model.backbone.init_args.widths gives channels, from 1, to resolutions of enc_blocks below the first, "
            f"which has model.backbone.init_args.width: {list(spread)[1:]}; got {dict(widths)}"
        )
    return spread
