"""What backbones share whose latent layers are pictures in a deep top-down hierarchy."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.checkpoint import checkpoint

from lit_vae.distributions import Gaussian, Posterior, at_least_float32
from lit_vae.distributions.scales import ScaleLink
from lit_vae.latents import Draw, Latent, Layer

BiasMaps = Literal["learned", "shared", "none"]
ScaleForm = Literal["exp", "softplus"]


BLACK = -1.0
"""Grey level 0 as every head for pictures embeds it."""


@dataclass(frozen=True)
class Margin:
    """Black pixels that a network adds around a picture: 2 on each side make 28x28 into 32x32.

    The features that leave the network keep the margin, so that the head's convolution sees beyond the picture's edge;
    the head then leaves it out.

    Args:
        pixels: On each side.
    """

    pixels: int

    def around(self, size: Sequence[int]) -> tuple[int, int]:
        """Height and width with it."""
        return size[0] + 2 * self.pixels, size[1] + 2 * self.pixels

    def add(self, x: Tensor) -> Tensor:
        """[B, C, H + 2 pixels, W + 2 pixels] from [B, C, H, W]."""
        return nn.functional.pad(x, [self.pixels] * 4, value=BLACK) if self.pixels else x


@dataclass(frozen=True)
class Levels:
    """Where the latent layers of a hierarchy lie, in pictures of any size that it divides.

    Args:
        factors: What the sides of a picture are divided by at each latent layer, top first.
        latent: Channels of each latent layer.
        key: The argument that says so, for messages.
        margin: What the network adds around a picture before it divides.
    """

    factors: tuple[int, ...]
    latent: int
    key: str
    margin: Margin = Margin(0)

    def layers(self, size: Sequence[int]) -> list[Layer]:
        """The latent layers of a picture.

        Raises:
            ValueError: If its sides are not divisible.
        """
        return layers_at((self.size_at(factor, size) for factor in self.factors), self.latent)

    def size_at(self, factor: int, size: Sequence[int]) -> tuple[int, int]:
        """Height and width of the picture with its margin, divided by a factor.

        Raises:
            ValueError: If its sides are not divisible by all of them.
        """
        most, added = max(self.factors), 2 * self.margin.pixels
        height, breadth = self.margin.around(size)
        if height % most or breadth % most or min(size) < 1:
            least = added // most + 1
            nearest = "x".join(str(max(least, round((side + added) / most)) * most - added) for side in size)
            padded = f", {height}x{breadth} with pad {self.margin.pixels} around them" if added else ""
            raise ValueError(
                f"model.backbone.init_args.{self.key} divides the sides of a picture by {most} in all, but the "
                f"pictures are {'x'.join(map(str, size))}{padded}: change it, or the size of the data; the nearest "
                f"that fits is {nearest}"
            )
        return height // factor, breadth // factor


def channels_first(features: Tensor) -> Tensor:
    """[B, width, H, W] from [B, H, W, width], where it stays last in memory, as convolutions are fastest."""
    return features.movedim(-1, 1).contiguous(memory_format=torch.channels_last)


def layers_at(sizes: Iterable[tuple[int, int]], latent: int) -> list[Layer]:
    """Latent layers that are pictures, named by size and number within it, such as ``4x4.0``.

    Args:
        sizes: Height and width of each, top first.
        latent: Channels of each.
    """
    layers: list[Layer] = []
    for height, breadth in sizes:
        shape = (height, breadth, latent)
        number = sum(layer.shape == shape for layer in layers)
        layers.append(Layer(len(layers), f"{height}x{breadth}.{number}", shape))
    return layers


class LearnedBias(nn.Module):
    """Learned features of the positions of a resolution, zero at first; resized bilinearly for another size.

    Args:
        width: Channels.
        size: Height and width that the map is made for; (1, 1) for one that all positions share.
    """

    def __init__(self, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.zeros(1, width, *size))

    def forward(self, size: tuple[int, int]) -> Tensor:
        """Broadcastable to [1, width, *size], in the precision that convolutions work in."""
        bias: Tensor = self.map
        device = bias.device.type
        if device != "meta" and torch.is_autocast_enabled(device):
            bias = bias.to(torch.get_autocast_dtype(device))
        return bias if bias.shape[2:] in (size, (1, 1)) else interpolate(bias, size, mode="bilinear")


def learned_bias(form: BiasMaps, width: int, size: tuple[int, int]) -> LearnedBias | None:
    """The bias of a resolution, or none.

    Args:
        form: ``learned``: for each position; ``shared``: one for all positions; ``none``.
        width: Channels.
        size: Height and width of the resolution.

    Raises:
        ValueError: If there is no such form.
    """
    if form not in ("learned", "shared", "none"):
        raise ValueError(f"model.backbone.init_args.bias_maps is 'learned', 'shared' or 'none', got {form!r}")
    if form == "none":
        return None
    return LearnedBias(width, size if form == "learned" else (1, 1))


def top_bias(form: BiasMaps, width: int, size: tuple[int, int]) -> LearnedBias:
    """The state that a top-down pass starts from: as :func:`learned_bias`, but shared where others have none."""
    bias = learned_bias(form, width, size)
    return LearnedBias(width, (1, 1)) if bias is None else bias


class Upsample(nn.Module):
    """Nearest-neighbour upsampling into a resolution, plus its bias.

    Args:
        factor: Each position becomes factor x factor.
        width: Channels of the new resolution.
        bias: What the new resolution adds; None for nothing.
        change: Applied first.
    """

    def __init__(self, factor: int, width: int, bias: LearnedBias | None, change: nn.Module | None = None) -> None:
        super().__init__()
        self.factor = factor
        self.width = width
        self.bias = bias
        self.change = change

    def forward(self, state: Tensor) -> Tensor:
        """[B, width, factor H, factor W] from [B, *, H, W]."""
        if self.change is not None:
            state = self.change(state)
        height, breadth = state.shape[2] * self.factor, state.shape[3] * self.factor
        state = interpolate(fit_channels(state, self.width), (height, breadth), mode="nearest-exact")
        state = state.contiguous(memory_format=torch.channels_last)  # which a single position does not tell
        return state if self.bias is None else state + self.bias((height, breadth))


class LatentBlock(nn.Module, ABC):
    """One latent layer in three steps: propose its prior and posterior, draw (the caller's part), absorb z.

    Args:
        enter: What the state goes through first; None for nothing.
    """

    def __init__(self, enter: nn.Module | None) -> None:
        super().__init__()
        self.enter = enter

    @abstractmethod
    def propose(self, state: Tensor, seen: Tensor | None) -> tuple[Tensor, Gaussian, Posterior | None]:
        """The state with what the prior adds to it, the prior, and the posterior where something was seen.

        Args:
            state: Of the top-down pass, [B, width, H, W].
            seen: Of the bottom-up pass, [B, width, H, W].
        """

    @abstractmethod
    def absorb(self, state: Tensor, z: Tensor) -> Tensor:
        """The state that knows z, [B, width, H, W].

        Args:
            state: What :meth:`propose` returned.
            z: The draw, [B, H, W, z].
        """

    def forward(
        self, state: Tensor, seen: Tensor | None, draw: Draw, noise: Tensor, layer: Layer
    ) -> tuple[Tensor, Latent]:
        """The three steps: the state after the layer, and the layer."""
        if self.enter is not None:
            state = self.enter(state)
        state, prior, posterior = self.propose(state, seen)
        z = draw(prior, posterior, noise, layer)
        return self.absorb(state, z), Latent(layer, z, prior, posterior, noise=noise)


class AddingBlock(LatentBlock):
    """A latent layer whose z is added to the state.

    Args:
        enter: As in :class:`LatentBlock`.
        project: z as features, [B, width, H, W] from [B, z, H, W].
        refine: The state after z, same shape.
    """

    def __init__(self, enter: nn.Module | None, project: nn.Module, refine: nn.Module) -> None:
        super().__init__(enter)
        self.project = project
        self.refine = refine

    def absorb(self, state: Tensor, z: Tensor) -> Tensor:
        return self.refine(state + self.project(z.movedim(-1, 1).to(state.dtype)))


def run(part: nn.Module, *args: Any, recompute: bool) -> Any:
    """What a part of the network returns.

    Args:
        part: Draws no random numbers of its own.
        args: Its arguments.
        recompute: Whether the backward pass computes the part's activations again instead of keeping them.
    """
    if not (recompute and torch.is_grad_enabled()):
        return part(*args)
    norms = [norm for norm in part.modules() if isinstance(norm, (nn.BatchNorm2d, nn.SyncBatchNorm)) and norm.training]
    # What is compiled counts a batch once by itself, and takes no contexts.
    if not norms or torch.compiler.is_compiling():
        return checkpoint(part, *args, use_reentrant=False, preserve_rng_state=False)
    contexts = (nullcontext(), SeenBefore(norms))
    return checkpoint(part, *args, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: contexts)


class SeenBefore(AbstractContextManager[None]):
    """In this context batch norms in training learn nothing from their batch: they have already.

    Args:
        norms: Which.
    """

    def __init__(self, norms: Sequence[nn.BatchNorm2d | nn.SyncBatchNorm]) -> None:
        self.norms = norms

    def __enter__(self) -> None:
        self.kept = [(norm.momentum, norm.num_batches_tracked) for norm in self.norms]
        for norm in self.norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None

    def __exit__(self, *error: object) -> None:
        for norm, (momentum, seen) in zip(self.norms, self.kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, seen


def descend(
    blocks: Iterable[nn.Module],
    top: LearnedBias,
    context: Sequence[Tensor] | None,
    layers: Sequence[Layer],
    draw: Draw,
    noise: Sequence[Tensor],
    recompute: bool,
) -> tuple[Tensor, list[Latent]]:
    """The last state, [B, width, H, W], and the latent layers on the way.

    Args:
        blocks: One :class:`LatentBlock` to a layer, top first.
        top: The state that the pass starts from.
        context: What each block sees of the example, [B, width, H, W]; None to generate.
        layers: The latent layers, top first.
        draw: Chooses z at each layer.
        noise: Standard-normal numbers for each layer, [B, H, W, z].
        recompute: As in :func:`run`.
    """
    height, breadth, _ = layers[0].shape
    state = top((height, breadth)).expand(len(noise[0]), -1, height, breadth)
    state = state.contiguous(memory_format=torch.channels_last)
    latents: list[Latent] = []
    for block, layer in zip(blocks, layers, strict=True):
        seen = None if context is None else context[layer.index]
        state, latent = run(block, state, seen, draw, noise[layer.index], layer, recompute=recompute)
        latents.append(latent)
    return state, latents


def gaussian(parameters: Tensor, link: ScaleLink) -> Gaussian:
    """Normals from channels-first features, elements [B, H, W, z].

    Args:
        parameters: Means, then the numbers behind the scales, [B, 2z, H, W].
        link: Makes log-scales of those.
    """
    loc, raw = at_least_float32(parameters).movedim(1, -1).chunk(2, dim=-1)
    return Gaussian(loc, link.log_scale(raw))


def relative(posterior: Gaussian, prior: Gaussian) -> Gaussian:
    """A posterior that is given relative to its prior: its mean added to that one's, its scale multiplied by it."""
    return Gaussian(posterior.loc + prior.loc, posterior.log_scale + prior.log_scale)


def scale_link(form: ScaleForm, beta: float) -> ScaleLink:
    """How numbers become the scales of latent variables, as small as they like.

    Args:
        form: ``exp`` or ``softplus``.
        beta: Of the softplus.

    Raises:
        ValueError: If there is no such form, or ``beta`` is not above 0.
    """
    if form not in ("exp", "softplus") or not beta > 0:
        raise ValueError(
            f"of model.backbone.init_args, scale_form is 'exp' or 'softplus' and softplus_beta is above 0, "
            f"got {form!r} and {beta}"
        )
    return ScaleLink(form, beta, floor=-math.inf)


def fit_channels(x: Tensor, width: int) -> Tensor:
    """The first ``width`` channels, [B, width, H, W], zeros for those that are missing."""
    missing = width - x.shape[1]
    return x[:, :width] if missing <= 0 else nn.functional.pad(x, (0, 0, 0, 0, 0, missing))
