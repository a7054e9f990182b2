"""The efficient very deep VAE: VDVAE with strided convolutions, a skip at each level, and smooth scales."""

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import silu

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.bottleneck import Bottleneck
from lit_vae.backbones.convolutions import picture_size, shrunk
from lit_vae.backbones.hierarchy import (
    AddingBlock,
    BiasMaps,
    Levels,
    Margin,
    ScaleForm,
    Upsample,
    channels_first,
    descend,
    gaussian,
    learned_bias,
    relative,
    run,
    scale_link,
    top_bias,
)
from lit_vae.backbones.notation import parse_runs, parse_whole_runs
from lit_vae.distributions import Gaussian
from lit_vae.distributions.scales import ScaleLink
from lit_vae.latents import Draw, Latent, Layer

SLOPE = 0.1
"""Of the leaky rectifiers beside the strides."""


class EfficientVDVAE(Backbone):
    """An efficient very deep VAE. Pictures of any size that the strides divide, also of another than it was made for.

    The arguments that begin with ``up_`` have an entry for each level of the bottom-up pass, in its order, and are a
    list, or runs of numbers such as ``1x11,2,1x6`` (eleven 1s, a 2, six 1s), or one number for all levels. The top-down
    pass mirrors them, as it does in all published configurations: their ``down_strides``, ``down_filters``,
    ``down_mid_filters_ratio``, ``down_kernel_size`` and ``up_skip_filters`` follow. Which pixels are observed is
    ignored: the head shows a hidden one as mid-grey.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (H, W), each divisible by the product of the strides.
        up_strides: What the sides of the picture are divided by after each level.
        up_filters: Channels after each level; they change only where its stride does more than keep the size. Unset,
            ``width`` throughout.
        width: Channels of the first level (input_conv_filters), and of the features handed to the head.
        up_mid_filters_ratio: Channels inside a cell over those outside.
        up_kernel_size: Of the cells; odd.
        up_n_blocks_per_res: Cells that a level has besides the one that leads to the skip.
        down_n_blocks_per_res: Latent layers that a level has besides the first, reading the same skip; top-down order.
        latent: Channels of each latent layer (down_latent_variates).
        scale_form: ``softplus``: scales are ln(1 + exp(beta a)) / beta of what the network says, with a slope of at
            most 1; ``exp``: it says their logarithms.
        softplus_beta: Beta; the default is the published configurations' ln 2, to seven digits.
        residual_posterior: The posterior is given relative to the prior: its mean added, its scale multiplied
            (use_residual_distribution).
        bias_maps: What the top-down pass adds where it enters a resolution: ``learned`` for each position (resized
            where the picture has another size), ``shared`` by all positions, or ``none``; the top keeps a shared one.
        pad: Black pixels that the network adds on each side of a picture: 2 make 28x28 into 32x32. The features keep
            them; the head leaves them out behind its convolution.
        recompute: Keep only what enters each block and compute its activations again in the backward pass: less memory
            for about a third more time.

    Raises:
        ValueError: If ``shape`` is no picture's or its sides are not divisible, lists do not parse or fit together, or
            a number is out of its range.

    Source:
        Hazami et al., 2022, Efficient-VDVAE: Less is more, https://arxiv.org/abs/2203.13751. The first convolution of
        a cell starts with torch's own weights and biases there, every other one with Glorot's and none; so here.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        up_strides: int | str | list[int],
        up_filters: int | str | list[int] | None = None,
        width: int = 384,
        up_mid_filters_ratio: float | str | list[float] = 0.25,
        up_kernel_size: int | str | list[int] = 3,
        up_n_blocks_per_res: int | str | list[int] = 0,
        down_n_blocks_per_res: int | str | list[int] = 0,
        latent: int = 32,
        scale_form: ScaleForm = "softplus",
        softplus_beta: float = 0.6931472,
        residual_posterior: bool = False,
        bias_maps: BiasMaps = "learned",
        pad: int = 0,
        recompute: bool = False,
    ) -> None:
        super().__init__(width)
        strides = parse_whole_runs(up_strides, "up_strides")
        count = len(strides)
        filters = parse_whole_runs(width if up_filters is None else up_filters, "up_filters", count)
        ratios = parse_runs(up_mid_filters_ratio, "up_mid_filters_ratio", count)
        kernels = parse_whole_runs(up_kernel_size, "up_kernel_size", count)
        cells = parse_whole_runs(up_n_blocks_per_res, "up_n_blocks_per_res", count)
        repeats = parse_whole_runs(down_n_blocks_per_res, "down_n_blocks_per_res", count)
        widths = [width, *filters]
        middles = [int(ratio * channels) for ratio, channels in zip(ratios, widths, strict=False)]
        check_levels(strides, widths)
        if (
            min(latent, *widths, *middles) < 1
            or min(pad, *cells, *repeats) < 0
            or any(size < 1 or size % 2 == 0 for size in kernels)
        ):
            raise ValueError(
                "of model.backbone.init_args, latent and up_filters count up from 1, up_mid_filters_ratio leaves at "
                "least one channel, up_kernel_size is odd, and up_n_blocks_per_res, down_n_blocks_per_res and pad "
                "count up from 0"
            )
        self.margin = Margin(pad)
        size = picture_size(shape, "EfficientVDVAE")
        factors = [math.prod(strides[:level]) for level in range(count)]
        self.recompute = recompute
        self.reads = [level for level in reversed(range(count)) for _ in range(1 + repeats[-1 - level])]
        self.levels = Levels(tuple(factors[level] for level in self.reads), latent, "up_strides", self.margin)
        share = math.sqrt(1 / len(self.reads))
        link = scale_link(scale_form, softplus_beta)

        self.read = glorot(nn.Conv2d(embed_width, width, 1))
        self.encoder = nn.ModuleList(
            Level(widths[i], middles[i], widths[i + 1], kernels[i], strides[i], cells[i], share) for i in range(count)
        )
        self.top = top_bias(bias_maps, widths[-1], self.levels.size_at(factors[-1], size))
        nn.init.kaiming_uniform_(self.top.map, nonlinearity="linear")
        self.decoder = nn.ModuleList()
        for before, level in zip([count - 1, *self.reads], self.reads, strict=False):
            enter = None
            if before != level and strides[level] > 1:
                bias = learned_bias(bias_maps, widths[level], self.levels.size_at(factors[level], size))
                change = nn.Sequential(glorot(nn.Conv2d(widths[level + 1], widths[level], 1)), nn.LeakyReLU(SLOPE))
                enter = Upsample(strides[level], widths[level], bias, change)
            self.decoder.append(
                EfficientBlock(
                    enter, widths[level], middles[level], latent, kernels[level], share, link, residual_posterior
                )
            )

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return self.levels.layers(shape)

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> list[Tensor]:
        """What each latent layer sees: the skip of its level, activated, [B, width, H_l, W_l], top first."""
        self.layers(features.shape[1:-1])
        x = self.read(self.margin.add(channels_first(features)))
        skips: list[Tensor] = []
        for level in self.encoder:
            x, skip = run(level, x, recompute=self.recompute)
            skips.append(skip)
        return [skips[level] for level in self.reads]

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
        return state.movedim(1, -1), latents


class Level(nn.Module):
    """Cells of the bottom-up pass, the skip to the latent layers of the same size, and the way to the next level.

    Args:
        width: Channels.
        middle: Channels inside a cell.
        out_width: Channels after the stride.
        kernel_size: Of the cells.
        stride: What the sides are divided by; at 1 the level hands on what it has.
        extra: Cells besides one.
        share: Multiplies the initial weights that end a cell.
    """

    def __init__(
        self, width: int, middle: int, out_width: int, kernel_size: int, stride: int, extra: int, share: float
    ) -> None:
        super().__init__()
        self.cells = nn.Sequential(
            *(cell(width, middle, width, kernel_size, share, residual=True) for _ in range(1 + extra))
        )
        self.skip = glorot(nn.Conv2d(width, width, 1))
        self.pool = nn.Sequential()
        if stride > 1:
            self.pool.extend([glorot(nn.Conv2d(width, out_width, stride, stride)), nn.LeakyReLU(SLOPE)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the next level reads, [B, out_width, H / stride, W / stride], and the active skip, [B, width, H, W]."""
        x = self.cells(x)
        return self.pool(x), silu(self.skip(x))


class EfficientBlock(AddingBlock):
    """One latent layer.

    Args:
        enter: Takes the state into the block's resolution where it is the first there; None elsewhere.
        width: Channels of the state.
        middle: Channels inside a cell.
        latent: Channels of z.
        kernel_size: Of the cells.
        share: Multiplies the initial weights that end the last cell, and those that read z.
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
        share: float,
        link: ScaleLink,
        residual: bool,
    ) -> None:
        super().__init__(
            enter,
            project=glorot(nn.Conv2d(latent, width, 1), share),
            refine=cell(width, middle, width, kernel_size, share, residual=True),
        )
        self.link = link
        self.residual = residual
        self.posterior = cell(2 * width, middle, width, kernel_size)
        self.prior = cell(width, middle, 2 * width, kernel_size)
        self.to_posterior = glorot(nn.Conv2d(width, 2 * latent, 1))
        self.to_prior = glorot(nn.Conv2d(width, 2 * latent, 1))

    def propose(self, state: Tensor, seen: Tensor | None) -> tuple[Tensor, Gaussian, Gaussian | None]:
        active = silu(state)
        features, hidden = self.prior.of_active(active).chunk(2, 1)
        prior = gaussian(self.to_prior(hidden), self.link)
        if seen is None:
            return state + features, prior, None
        posterior = gaussian(self.to_posterior(self.posterior.of_active(active, seen)), self.link)
        if self.residual:
            posterior = relative(posterior, prior)
        return state + features, prior, posterior


def glorot(convolution: nn.Conv2d, share: float = 1.0) -> nn.Conv2d:
    """A convolution with Glorot's uniform weights, multiplied by ``share``, and no random bias."""
    nn.init.xavier_uniform_(convolution.weight)
    return shrunk(convolution, share)


def cell(
    inputs: int, middle: int, outputs: int, kernel_size: int, share: float = 1.0, residual: bool = False
) -> Bottleneck:
    """A bottleneck, its first convolution as torch makes it, the weights of its last multiplied by ``share``."""
    made = Bottleneck(inputs, middle, outputs, kernel_size, silu, residual)
    for convolution in (made.first, made.second):
        glorot(convolution)
    glorot(made.widen, share)
    return made


def check_levels(strides: Sequence[int], widths: Sequence[int]) -> None:
    """Refuse levels that do not lead to one another.

    Args:
        strides: Of each level.
        widths: Before the first level, and after each.

    Raises:
        ValueError: If a stride is below 1, the last one is above, or channels change where no stride is.
    """
    key = "model.backbone.init_args."
    if not strides or min(strides) < 1 or strides[-1] != 1:
        raise ValueError(f"{key}up_strides count up from 1 and end with a 1, the level at the top; got {strides}")
    for i, (stride, before, after) in enumerate(zip(strides, widths, widths[1:], strict=False)):
        if stride == 1 and after != before:
            raise ValueError(
                f"{key}up_filters changes from {before} to {after} after level {i}, whose stride is 1: channels change "
                f"with a stride above 1; write {before} there, or change {key}up_strides"
            )
