"""The latent layers of some examples as plain tensors: kept, cut, measured, saved."""

from __future__ import annotations

import dataclasses
import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_vae.damage import reason, refuse_damaged
from lit_vae.files import write_tensors
from lit_vae.latents import Latent, Layer
from lit_vae.symbols import Symbols, restore

LN2 = math.log(2.0)
FORMAT_KEY = "lit_vae_latents"
FORMAT = 2
"""What is written. Files of format 1 are read without their sizes, which were those at whatever z was written."""

OTHER_MODEL = "these latents are another model's, decode them with the one that wrote them"


@dataclass(frozen=True)
class StackedLayer:
    """One latent layer of some examples.

    Args:
        name: The layer's name, such as ``4x4.0``.
        z: The draw, [B, *S, z].
        noise: The draw in standard deviations from the mean of its prior, [B, *S, z].
        mean: Mean of the posterior, [B, *S, z]; None, as the next two, where nothing was encoded.
        scale: Standard deviation of the posterior (before a flow, where it has one), [B, *S, z].
        kl: What each element adds to the KL in a pass that draws from the posterior, [B, *S, z], nats, whatever z
            is; 0 at positions that do not exist. None also where it was not measured.
        mask: Positions that exist, [B, *S], bool; None for all.
    """

    name: str
    z: Tensor
    noise: Tensor
    mean: Tensor | None = None
    scale: Tensor | None = None
    kl: Tensor | None = None
    mask: Tensor | None = None

    @property
    def nats(self) -> Tensor:
        """What each element adds to the KL, [B, *S, z].

        Raises:
            ValueError: If nothing was encoded, or it was not measured.
        """
        if self.kl is None:
            raise ValueError(
                f"latent layer {self.name} has no KL: it was drawn from the prior alone, or not measured, or its file "
                f"is older than such sizes: encode the examples again"
            )
        return self.kl

    @property
    def places(self) -> int:
        """Number of positions that exist, of all examples together."""
        return self.z[..., 0].numel() if self.mask is None else int(self.mask.sum())

    def map(self, change: Callable[[Tensor], Tensor]) -> StackedLayer:
        """The layer with every tensor changed in the same way."""
        tensors: dict[str, Any] = {name: change(value) for name, value in vars(self).items() if name in self.held()}
        return dataclasses.replace(self, **tensors)

    @classmethod
    def cat(cls, layers: Sequence[StackedLayer]) -> StackedLayer:
        """The same layer of more examples."""
        first = layers[0]
        tensors: dict[str, Any] = {name: torch.cat([getattr(layer, name) for layer in layers]) for name in first.held()}
        return dataclasses.replace(first, **tensors)

    def held(self) -> list[str]:
        """Names of the tensors that there are."""
        return [name for name, value in vars(self).items() if isinstance(value, Tensor)]


@dataclass(frozen=True)
class LatentStack:
    """What a model wrote down about some examples, layer by layer, from :meth:`lit_vae.LitVAE.encode`.

    Args:
        layers: The latent layers, top first; those below the last may be missing.
        positions: Positions of one example, S: height and width of a picture, tokens of the longest text.
        index: Each example's number, [B], int64: seeds what is drawn in addition to the stack.
        mask: Symbols that were observed, [B, *E], bool; None for all.
        symbols: What the symbols stand for; None where the model did not know.
    """

    layers: tuple[StackedLayer, ...]
    positions: tuple[int, ...]
    index: Tensor
    mask: Tensor | None = None
    symbols: Symbols | None = None

    @classmethod
    def of(
        cls,
        latents: Sequence[Latent],
        positions: Sequence[int],
        index: Tensor,
        mask: Tensor | None = None,
        symbols: Symbols | None = None,
        sampled: Sequence[Latent] | None = None,
    ) -> LatentStack:
        """What a top-down pass left behind.

        Args:
            latents: The latent layers, top first.
            positions: As in the class.
            index: As in the class.
            mask: As in the class.
            symbols: As in the class.
            sampled: The latent layers of a pass over the same examples that drew from the posterior, whose KL is
                kept; None for no KL.
        """
        sources = [None] * len(latents) if sampled is None else sampled
        layers = tuple(stacked(latent, source) for latent, source in zip(latents, sources, strict=True))
        return cls(layers, tuple(positions), index, mask, symbols)

    @classmethod
    def cat(cls, stacks: Sequence[LatentStack]) -> LatentStack:
        """One stack of the examples of several, which have the same layers and positions."""
        first = stacks[0]
        layers = [StackedLayer.cat(same) for same in zip(*(stack.layers for stack in stacks), strict=True)]
        masks = [stack.mask for stack in stacks if stack.mask is not None]
        return dataclasses.replace(
            first,
            layers=tuple(layers),
            index=torch.cat([stack.index for stack in stacks]),
            mask=torch.cat(masks) if masks else None,
        )

    def __len__(self) -> int:
        """Number of examples, B."""
        return len(self.index)

    def __getitem__(self, examples: slice | Tensor) -> LatentStack:
        """Some of the examples."""
        return self._map(lambda tensor: tensor[examples])

    def top(self, count: int) -> LatentStack:
        """The first layers alone."""
        return dataclasses.replace(self, layers=self.layers[:count])

    def to(self, device: torch.device | str) -> LatentStack:
        """The stack on another device."""
        return self._map(lambda tensor: tensor.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> LatentStack:
        mask = None if self.mask is None else change(self.mask)
        layers = tuple(layer.map(change) for layer in self.layers)
        return dataclasses.replace(self, layers=layers, index=change(self.index), mask=mask)

    # ---- size ----

    @property
    def kls(self) -> Tensor:
        """KL of each layer, [layers, B], nats: what an ideal code of the layer takes, given the layers above.

        It is that of a pass that draws from the posterior, as in the bound, whatever z is: at the posterior's mean, the
        KL of the layers below is another number, and no code's length.

        Raises:
            ValueError: If nothing was encoded.
        """
        sums = [layer.nats.flatten(1).sum(1) for layer in self.layers]
        return torch.stack(sums) if sums else torch.zeros(0, len(self), device=self.index.device)

    @property
    def nats(self) -> Tensor:
        """KL of all layers, [B]: the size of an ideal code of each example's latents, nats."""
        return self.kls.sum(0)

    @property
    def bits(self) -> Tensor:
        """The same in bits, [B]."""
        return self.nats / LN2

    @property
    def information(self) -> list[Tensor]:
        """Mean KL of each latent variable over examples and positions that exist, [z] of each layer, nats."""
        return [layer.nats.flatten(0, -2).sum(0) / layer.places for layer in self.layers]

    def report(self) -> list[dict[str, Any]]:
        """Name, number of latent variables, and size in nats and bits of a mean example: each layer, then their total.

        Raises:
            ValueError: If nothing was encoded.
        """
        means = self.kls.double().mean(1).tolist()
        rows = [(layer.name, layer.z[0].numel(), nats) for layer, nats in zip(self.layers, means, strict=True)]
        rows.append(("total", sum(count for _, count, _ in rows), sum(means)))
        return [{"layer": name, "variables": count, "nats": nats, "bits": nats / LN2} for name, count, nats in rows]

    # ---- fitting a model ----

    def check(self, layers: Sequence[Layer], symbols: Symbols | None) -> None:
        """Refuse a model that could not have written this.

        Args:
            layers: The model's latent layers at the stack's positions.
            symbols: What the model's symbols stand for; None for unknown.

        Raises:
            ValueError: If its layers have other names or shapes, or its symbols stand for something else.
        """
        if self.symbols is not None and symbols is not None and not symbols.agrees_with(self.symbols):
            raise ValueError(
                f"{OTHER_MODEL}: theirs reads '{self.symbols.name}', whose symbols stand for something else than those "
                f"of '{symbols.name}'"
            )
        if len(self.layers) > len(layers):
            raise ValueError(f"{OTHER_MODEL}: they have {len(self.layers)} layers, the model {len(layers)}")
        for mine, own in zip(self.layers, layers, strict=False):
            shape = tuple(mine.z.shape[1:])
            if (mine.name, shape) != (own.name, own.shape):
                raise ValueError(
                    f"{OTHER_MODEL}: layer {own.index} is {mine.name} {list(shape)}, "
                    f"the model's is {own.name} {list(own.shape)}"
                )

    # ---- files ----

    def save(self, path: str | Path) -> None:
        """Write one file, which :func:`torch.load` reads with ``weights_only=True``; whole, or not at all."""
        own = self._map(lambda tensor: tensor.detach().clone())  # a view would take all that it looks at along
        content = {
            FORMAT_KEY: FORMAT,
            "layers": [vars(layer) for layer in own.layers],
            "positions": list(self.positions),
            "index": own.index,
            "mask": own.mask,
            "symbols": None if self.symbols is None else self.symbols.state(),
        }
        write_tensors(content, Path(path))

    @classmethod
    def load(cls, path: str | Path, map_location: torch.device | str = "cpu") -> LatentStack:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no file of latents, or of a later format.
        """
        try:
            refuse_damaged(path)
            content = torch.load(path, map_location=map_location, weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, ValueError) as error:
            raise ValueError(
                f"{path} is no file of latents, or is damaged ({reason(error)}): copy it again, or write it anew with "
                f"lit_vae encode"
            ) from error
        found = content.get(FORMAT_KEY) if isinstance(content, dict) else None
        if found not in (1, FORMAT):
            raise ValueError(
                f"{path}: this version of lit_vae reads latents of format 1 or {FORMAT}, this file has "
                f"{'none: it holds something else' if found is None else found}; lit_vae encode writes one"
            )
        outdated = {"kl": None} if found == 1 else {}
        return cls(
            tuple(StackedLayer(**(layer | outdated)) for layer in content["layers"]),
            tuple(content["positions"]),
            content["index"],
            content["mask"],
            None if content["symbols"] is None else restore(content["symbols"]),
        )


def stacked(latent: Latent, sampled: Latent | None) -> StackedLayer:
    """A latent layer as plain tensors, with the KL of the same layer in a sampled pass if there is one."""
    prior, posterior = latent.prior, latent.posterior
    noise = (latent.z - prior.loc) * (-prior.log_scale).exp()
    if posterior is None:
        return StackedLayer(latent.layer.name, latent.z, noise, mask=latent.mask)
    kl = None if sampled is None else sampled.kl_elements
    if kl is not None and latent.mask is not None:
        kl = kl.masked_fill(~latent.mask.unsqueeze(-1), 0.0)
    return StackedLayer(latent.layer.name, latent.z, noise, posterior.mean, posterior.scale, kl, latent.mask)
