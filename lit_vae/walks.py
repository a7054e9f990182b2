"""Walks through the latent space of a model: from one example to another, and along one latent variable.

Both walk in the noise of the prior, standard deviations from its mean, and not in z itself. The prior of a layer
depends on the layers above it: when those move, a z that stays, or moves on a straight line, may come to lie where its
prior would never put it, and what it meant there is lost. The noise of all layers together is standard normal under the
model, so that a point on the way, too, is one that the model could have drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_vae.draws import FromPrior, GivenNoise, TopLayers
from lit_vae.latent_stack import LatentStack
from lit_vae.noise import IndexedNoise
from lit_vae.vae import LitVAE


def spherical(one: Tensor, other: Tensor, parts: Tensor) -> Tensor:
    """Points on the arc from one noise to another, [B, P, *S, z].

    Noise of many dimensions lies near a sphere about its mean; a straight line cuts through the inside, where half way
    the noise is as of a temperature of 0.7. The angle is that between all numbers of an example's layer. Noises that
    point the same way, or opposite ways, or are 0, are joined by a straight line.

    Args:
        one: Where the walk starts, [B, *S, z].
        other: Where it ends, [B, *S, z].
        parts: Of the way, each in [0, 1], [P].

    Source:
        Shoemake, 1985, https://doi.org/10.1145/325334.325242; for latent variables: White, 2016, Sampling generative
        networks, https://arxiv.org/abs/1609.04468.
    """
    a, b = one.flatten(1).double(), other.flatten(1).double()
    lengths = (a.norm(dim=1) * b.norm(dim=1)).unsqueeze(1)  # [B, 1]
    # 0 points nowhere: the ratio, 0 / 0, is taken for 1
    angle = ((a * b).sum(1, keepdim=True) / lengths).nan_to_num(1.0).clamp(-1, 1).acos()
    straight = angle.sin() < 1e-4
    sine = torch.where(straight, 1.0, angle.sin())
    ahead = torch.where(straight, parts, (parts * angle).sin() / sine)  # [B, P]
    behind = torch.where(straight, 1 - parts, ((1 - parts) * angle).sin() / sine)
    points = behind.unsqueeze(2) * a.unsqueeze(1) + ahead.unsqueeze(2) * b.unsqueeze(1)
    return points.unflatten(2, one.shape[1:]).to(one.dtype)


def between(vae: LitVAE, one: LatentStack, other: LatentStack, steps: int) -> LatentStack:
    """Latents on the way from each example of a stack to its counterpart in another, ends included, [B * steps].

    Args:
        vae: The model that wrote both.
        one: Where each walk starts.
        other: Where it ends.
        steps: Latents on each way, at least 2.

    Raises:
        ValueError: If there are fewer steps, the stacks do not fit together, or the model has no latent layers.
    """
    if not one.layers:
        raise ValueError("there are no latent layers to walk through: the model has none")
    if steps < 2:
        raise ValueError(f"a walk has two ends, so --steps counts up from 2, got {steps}")
    shapes = [[layer.z.shape for layer in stack.layers] for stack in (one, other)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"a walk leads from each example to one of as many others, with latents of the same shapes; "
            f"got {[list(shape) for shape in shapes[0]]} and {[list(shape) for shape in shapes[1]]}"
        )
    parts = torch.linspace(0, 1, steps, dtype=torch.float64, device=one.index.device)
    pairs = zip(one.layers, other.layers, strict=True)
    noises = [spherical(start.noise, end.noise, parts).flatten(0, 1) for start, end in pairs]
    return placed(vae, one, noises)


def along(
    vae: LitVAE, stack: LatentStack, layer: int, variables: Sequence[tuple[int, ...]], values: Sequence[float]
) -> LatentStack:
    """Latents in which one variable takes each of some values, and the others stay, [B * variables * values].

    Args:
        vae: The model that wrote the stack.
        stack: The examples that are changed.
        layer: Place of the layer that is, from 0 at the top.
        variables: Each a channel of the layer, (c,), which changes at all positions; or one position's, (*s, c).
        values: Standard deviations from the mean of the prior.

    Raises:
        ValueError: If there is no such layer or variable, or no variable or value at all.
    """
    if not (variables and values):
        raise ValueError(f"a traversal takes at least one of --variables and one value, got {variables} and {values}")
    if not 0 <= layer < len(stack.layers):
        raise ValueError(f"there are {len(stack.layers)} latent layers, from 0, got layer {layer}")
    shape = stack.layers[layer].z.shape[1:]
    for variable in variables:
        sizes = shape[-len(variable) :] if len(variable) in (1, len(shape)) else ()
        if not sizes or any(not 0 <= place < size for place, size in zip(variable, sizes, strict=True)):
            raise ValueError(
                f"a variable of layer {stack.layers[layer].name}, of shape {list(shape)}, is a channel from 0 to "
                f"{shape[-1] - 1}, or a place in that shape, got {list(variable)}"
            )
    copies = len(variables) * len(values)
    noises = [each.noise.repeat_interleave(copies, 0) for each in stack.layers]
    changed = noises[layer].unflatten(0, (len(stack), len(variables), len(values)))
    numbers = torch.tensor(values, dtype=changed.dtype, device=changed.device)
    for number, variable in enumerate(variables):
        chosen = changed[:, number].movedim(1, -1)  # [B, *S, z, values]
        chosen[(slice(None), *[slice(None)] * (len(shape) - len(variable)), *variable)] = numbers
    return placed(vae, stack, noises)


@torch.no_grad()
def placed(vae: LitVAE, like: LatentStack, noises: Sequence[Tensor]) -> LatentStack:
    """Latents at given places in their priors; layers that are missing take their prior's mean.

    Args:
        vae: The model.
        like: A stack that it wrote: says at which positions.
        noises: Of each layer, top first, each [B, *S, z].

    Raises:
        ValueError: If another model wrote the stack.
    """
    like.check(vae.layers(like.positions), None)
    index = torch.arange(len(noises[0]), device=vae.device)
    draw = TopLayers(len(noises), GivenNoise(noises), FromPrior(0.0))
    with vae.evaluating():
        _, latents = vae.generate([len(index), *like.positions], draw, IndexedNoise(index))
    return LatentStack.of(latents, like.positions, index, None, like.symbols)
