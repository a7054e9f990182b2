"""A small top-down hierarchy of latent layers, each of them a picture."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.convolutions import ResidualBlock, check_size, picture_size, shrunk, soft_gaussian
from lit_vae.backbones.hierarchy import layers_at
from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer


class LadderVAE(Backbone):
    """Latent layers from the coarsest resolution to the picture's own, each given all those above.

    The prior of a layer is learned from the state of the top-down pass; its posterior sees, besides that state, what
    the bottom-up pass made of the example at the same resolution. Which pixels are observed is ignored: the head shows
    a hidden one as mid-grey.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (H, W), divisible by 2 for each resolution but the first.
        width: Channels of every convolution, and of the features handed to the head.
        latent: Channels of each latent layer.
        blocks: Latent layers at each resolution, from the picture's own down by halves: [1, 2] is one at HxW and, above
            it, two at half of that.
        depth: Residual blocks to a latent layer, on either way.

    Raises:
        ValueError: If ``shape`` is no picture's or cannot be halved so often, or a number is too small.

    Source:
        Top-down inference: Sønderby et al., 2016, https://arxiv.org/abs/1602.02282.
        Blocks and their initial sizes: Child, 2021, https://arxiv.org/abs/2011.10650; here the log-scales are bounded,
        the prior sends no features of its own on, and convolutions have no bottleneck.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        width: int = 64,
        latent: int = 8,
        blocks: Sequence[int] = (1, 2, 2),
        depth: int = 1,
    ) -> None:
        super().__init__(width)
        if not blocks or min(width, latent, depth, *blocks) < 1:
            raise ValueError(
                f"width, latent, depth and each of blocks of model.backbone.init_args count up from 1, "
                f"got {width}, {latent}, {depth} and {list(blocks)}"
            )
        size = picture_size(shape, "LadderVAE")
        factor = 2 ** (len(blocks) - 1)
        if any(side % factor for side in size):
            raise ValueError(
                f"{len(blocks)} resolutions need sides divisible by {factor}, the pictures are "
                f"{size[0]}x{size[1]}: shorten model.backbone.init_args.blocks, now {list(blocks)}, "
                f"or change the size of the data"
            )
        self.latent = latent
        self.blocks = tuple(blocks)
        layers = sum(blocks)
        self.read = nn.Conv2d(embed_width, width, 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, layers * depth) for _ in range(count * depth))) for count in blocks
        )
        self.sizes = [(size[0] >> level, size[1] >> level) for level in range(len(blocks))]
        self.places = nn.ParameterList(0.1 * torch.randn(width, *size) for size in self.sizes)
        self.levels = [level for level in reversed(range(len(blocks))) for _ in range(blocks[level])]
        self.decoder = nn.ModuleList(LatentBlock(width, latent, depth, layers) for _ in self.levels)

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        check_size(shape, self.sizes[0], "LadderVAE")
        return layers_at((self.sizes[level] for level in self.levels), self.latent)

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> list[Tensor]:
        """What is seen at each resolution, finest first, each [B, width, H_l, W_l]."""
        check_size(features.shape[1:-1], self.sizes[0], "LadderVAE")
        x = self.read(features.movedim(-1, 1))
        seen: list[Tensor] = []
        for blocks in self.encoder:
            x = blocks(avg_pool2d(x, 2) if seen else x)
            seen.append(x)
        return seen

    def top_down(
        self,
        context: list[Tensor] | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        latents: list[Latent] = []
        state = self.places[-1].expand(shape[0], -1, -1, -1)
        for layer, level, block in zip(self.layers(shape[1:]), self.levels, self.decoder, strict=True):
            assert isinstance(block, LatentBlock)
            if state.shape[-2:] != layer.shape[:2]:
                state = interpolate(state, scale_factor=2, mode="nearest") + self.places[level]
            prior, posterior = block.propose(state, None if context is None else context[level])
            z = draw(prior, posterior, noise[layer.index], layer)
            state = block.absorb(state, z)
            latents.append(Latent(layer, z, prior, posterior, noise=noise[layer.index]))
        return state.movedim(1, -1), latents


class LatentBlock(nn.Module):
    """One latent layer in three steps: propose its prior and posterior, draw (the caller's part), absorb z.

    Args:
        width: Channels of the state.
        latent: Channels of z.
        depth: Residual blocks after z.
        siblings: Latent layers of the model.
    """

    def __init__(self, width: int, latent: int, depth: int, siblings: int) -> None:
        super().__init__()
        self.prior = proposal(width, width, latent)
        self.posterior = proposal(2 * width, width, latent)
        self.project = shrunk(nn.Conv2d(latent, width, 1), 1 / math.sqrt(siblings))
        self.refine = nn.Sequential(*(ResidualBlock(width, siblings * depth) for _ in range(depth)))

    def propose(self, state: Tensor, seen: Tensor | None) -> tuple[Gaussian, Gaussian | None]:
        """Prior and posterior of z, [B, H, W, z]; no posterior where nothing was seen.

        Args:
            state: Of the top-down pass, [B, width, H, W].
            seen: Of the bottom-up pass, [B, width, H, W].
        """
        prior = soft_gaussian(self.prior(state).movedim(1, -1))
        if seen is None:
            return prior, None
        return prior, soft_gaussian(self.posterior(torch.cat([state, seen], 1)).movedim(1, -1))

    def absorb(self, state: Tensor, z: Tensor) -> Tensor:
        """The state that knows z, [B, width, H, W].

        Args:
            state: Before, [B, width, H, W].
            z: The draw, [B, H, W, z].
        """
        return self.refine(state + self.project(z.movedim(-1, 1).to(state.dtype)))


def proposal(inputs: int, width: int, latent: int) -> nn.Sequential:
    """Means and log-scales from features; near 0 at first, so that posterior and prior begin alike."""
    return nn.Sequential(
        nn.GELU(),
        nn.Conv2d(inputs, width, 3, padding=1),
        nn.GELU(),
        shrunk(nn.Conv2d(width, 2 * latent, 1), 0.1),
    )
