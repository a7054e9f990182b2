"""NVAE: residual cells with batch norm, squeeze-and-excitation, residual posteriors, and a flow where asked."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.convolutions import picture_size
from lit_vae.backbones.hierarchy import BiasMaps, LatentBlock, Levels, Margin, channels_first, descend, run, top_bias
from lit_vae.backbones.notation import parse_whole_runs
from lit_vae.backbones.nvae_cells import NormedConv2d, decoder_cell, encoder_cell
from lit_vae.backbones.nvae_flow import VolumePreservingFlow
from lit_vae.distributions import FlowedGaussian, Gaussian, Posterior, at_least_float32
from lit_vae.latents import Draw, Latent, Layer

BOUND = 5.0
"""Of means and log-scales."""

FLOOR = 0.01
"""What is added to every scale."""

DECODER_EXPANSION = 6
OUTER_EXPANSION = 3


class NVAE(Backbone):
    """A nouveau VAE. Pictures of any size that the scales divide, also of another than it was made for.

    The paper's output layer is an ELU, here the end of the backbone, and a 3x3 convolution, which is the head's: give
    it ``kernel_size: 3`` (the paper also learns the lengths of that convolution's weights apart; a head does not).
    Batch norms see the statistics of the batch in training and a stored average everywhere else, in sampling too; over
    several processes, ``trainer.sync_batchnorm: true`` shares them. Which pixels are observed is ignored: the head
    shows a hidden one as mid-grey.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (H, W).
        groups: Latent layers at each scale, the finest first, as a list or as runs of numbers: ``10,5``, ``16,8,4x3``
            (num_groups_per_scale, num_latent_scales). Each scale has half the sides of the one before.
        width: Channels at the picture's own resolution, and of the features handed to the head (num_channels_enc,
            num_channels_dec); doubled where the sides are halved.
        latent: Channels of each latent layer (num_latent_per_group).
        outer_blocks: How often the picture is halved before the finest scale (num_preprocess_blocks,
            num_postprocess_blocks).
        outer_cells: Cells to each halving and to each doubling (num_preprocess_cells, num_postprocess_cells).
        encoder_cells: Cells to a latent layer on the way up (num_cell_per_cond_enc).
        decoder_cells: Cells to a latent layer on the way down (num_cell_per_cond_dec).
        flows: Pairs of shifts after each posterior (num_nf); with any, the KL of a layer is log q - log p at the draw.
        residual_posterior: The posterior is given relative to the prior (res_dist).
        squeeze_excitation: Whether cells gate their channels (use_se).
        weight_norm: Whether convolutions outside the decoder's branches learn the lengths of their weights apart.
        bias_maps: What the top-down pass starts from: ``learned`` for each position (resized where the picture has
            another size), or ``shared`` by all; ``none`` is shared, too.
        pad: Black pixels that the network adds on each side of a picture: 2 make 28x28 into 32x32. The features keep
            them; the head leaves them out behind its convolution.
        recompute: Keep only what enters each cell and latent layer and compute its activations again in the backward
            pass: less memory for about a third more time.

    Raises:
        ValueError: If ``shape`` is no picture's or its sides are not divisible, ``groups`` does not parse, or a number
            is out of its range.

    Source:
        Vahdat & Kautz, 2020, NVAE: A deep hierarchical variational autoencoder, https://arxiv.org/abs/2007.03898.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        groups: int | str | list[int],
        width: int = 128,
        latent: int = 20,
        outer_blocks: int = 1,
        outer_cells: int = 2,
        encoder_cells: int = 2,
        decoder_cells: int = 2,
        flows: int = 0,
        residual_posterior: bool = True,
        squeeze_excitation: bool = True,
        weight_norm: bool = True,
        bias_maps: BiasMaps = "learned",
        pad: int = 0,
        recompute: bool = False,
    ) -> None:
        super().__init__(width)
        counts = parse_whole_runs(groups, "groups")
        if (
            not counts
            or min(width, latent, outer_cells, encoder_cells, decoder_cells, *counts) < 1
            or min(outer_blocks, flows, pad) < 0
            or (width < 2 and outer_blocks + len(counts) > 1)
        ):
            raise ValueError(
                "of model.backbone.init_args, groups, latent, outer_cells, encoder_cells and decoder_cells count up "
                "from 1, width from 2, outer_blocks, flows and pad from 0"
            )
        self.margin = Margin(pad)
        self.recompute = recompute
        scales = [scale for scale in reversed(range(len(counts))) for _ in range(counts[scale])]
        factors = tuple(2 ** (outer_blocks + scale) for scale in scales)
        self.levels = Levels(factors, latent, "groups, with outer_blocks,", self.margin)
        size = picture_size(shape, "NVAE")
        gated, widths = squeeze_excitation, [width << (outer_blocks + scale) for scale in range(len(counts))]

        self.read = NormedConv2d(embed_width, width, 3)
        self.enter = nn.Sequential()
        for block in range(outer_blocks):
            self.enter.extend(encoder_cell(width << block, "same", gated) for _ in range(outer_cells - 1))
            self.enter.append(encoder_cell(width << block, "down", gated))
        self.encoder = nn.ModuleList()
        for scale, count in enumerate(counts):
            for group in range(count):
                cells = nn.Sequential(*(encoder_cell(widths[scale], "same", gated) for _ in range(encoder_cells)))
                if scale > 0 and group == 0:
                    cells.insert(0, encoder_cell(widths[scale - 1], "down", gated))
                self.encoder.append(cells)
        self.summary = nn.Sequential(nn.ELU(), NormedConv2d(widths[-1], widths[-1], 1), nn.ELU())

        self.top = top_bias(bias_maps, widths[-1], self.levels.size_at(factors[0], size))
        nn.init.uniform_(self.top.map)
        self.decoder = nn.ModuleList()
        for index, scale in enumerate(scales):
            enter = nn.Sequential()
            if index > 0:
                if scale != scales[index - 1]:
                    enter.append(decoder_cell(widths[scale + 1], "up", DECODER_EXPANSION, gated))
                enter.extend(
                    decoder_cell(widths[scale], "same", DECODER_EXPANSION, gated) for _ in range(decoder_cells)
                )
            flow = VolumePreservingFlow(latent, flows) if flows else None
            self.decoder.append(Group(enter if index > 0 else None, widths[scale], latent, flow, residual_posterior))
        self.leave = nn.Sequential()
        for block in reversed(range(outer_blocks)):
            self.leave.append(decoder_cell(width << (block + 1), "up", OUTER_EXPANSION, gated))
            self.leave.extend(
                decoder_cell(width << block, "same", OUTER_EXPANSION, gated) for _ in range(outer_cells - 1)
            )
        for module in self.modules():
            if isinstance(module, NormedConv2d) and not weight_norm:
                module.forget_length()

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return self.levels.layers(shape)

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> list[Tensor]:
        """What each latent layer sees, [B, width, H_l, W_l], top first."""
        self.layers(features.shape[1:-1])
        x = self.read(self.margin.add(channels_first(features)))
        for cell in self.enter:
            x = run(cell, x, recompute=self.recompute)
        seen: list[Tensor] = []
        for cells in self.encoder:
            x = run(cells, x, recompute=self.recompute)
            seen.insert(0, x)
        seen[0] = self.summary(x)
        return seen

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
        for cell in self.leave:
            state = run(cell, state, recompute=self.recompute)
        return elu(state).movedim(1, -1), latents


class Group(LatentBlock):
    """One latent layer; at the top its prior is the same for all positions and every state.

    Args:
        enter: Cells that come before; None at the top.
        width: Channels of the state.
        latent: Channels of z.
        flow: After the posterior; None for none.
        residual: Whether the posterior is given relative to the prior.
    """

    def __init__(
        self, enter: nn.Module | None, width: int, latent: int, flow: VolumePreservingFlow | None, residual: bool
    ) -> None:
        super().__init__(enter)
        self.latent = latent
        self.flow = flow
        self.residual = residual
        self.look = None if enter is None else NormedConv2d(width, width, 1)
        self.prior = None if enter is None else nn.Sequential(nn.ELU(), NormedConv2d(width, 2 * latent, 1))
        self.posterior = NormedConv2d(width, 2 * latent, 3)
        self.join = NormedConv2d(width + latent, width, 1)

    def propose(self, state: Tensor, seen: Tensor | None) -> tuple[Tensor, Gaussian, Posterior | None]:
        if self.prior is None:
            parameters = state.new_zeros(len(state), *state.shape[2:], 2 * self.latent).movedim(-1, 1)
        else:
            parameters = self.prior(state)
        parameters = at_least_float32(parameters)
        prior = bounded_gaussian(parameters)
        if seen is None:
            return state, prior, None
        change = at_least_float32(self.posterior(seen if self.look is None else seen + self.look(state)))
        posterior = bounded_gaussian(parameters + change if self.residual else change)
        return state, prior, posterior if self.flow is None else FlowedGaussian(posterior, self.flow)

    def absorb(self, state: Tensor, z: Tensor) -> Tensor:
        return self.join(torch.cat([state, z.movedim(-1, 1).to(state.dtype)], 1))


def bounded_gaussian(parameters: Tensor) -> Gaussian:
    """Normals whose mean and log-scale stay within 5 of 0, and whose scale stays above 0.01, elements [B, H, W, z].

    Args:
        parameters: Means, then the numbers behind the scales, [B, 2z, H, W], float32 or better.
    """
    loc, log_scale = (BOUND * (parameters.movedim(1, -1) / BOUND).tanh()).chunk(2, dim=-1)
    return Gaussian(loc, (log_scale.exp() + FLOOR).log())
