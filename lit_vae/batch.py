"""One batch of examples, each an array of integer symbols."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lit_vae.integers import refuse_other_than_integers


@dataclass
class Batch:
    """Examples as integers, whatever they stand for.

    Args:
        x: Symbols in [0, num_values), [B, *E], integer: uint8 up to 256 values, int32 above, int64 for tokens.
        mask: True where a symbol is observed, [B, *E], bool; None for everywhere. What it hides is still a valid
            symbol.
        index: Each example's number in its split, [B], int64: seeds the noise of an evaluation, and tells apart the
            examples that a distributed sampler repeats.
        units: Other denominators of a likelihood, each [B]: characters, bytes, words.

    Raises:
        ValueError: If a tensor is of another type or shape. Whether symbols are in range is the head's to know.
    """

    x: Tensor
    mask: Tensor | None
    index: Tensor
    units: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_other_than_integers(self.x, "Batch.x")
        if self.mask is not None and (self.mask.dtype != torch.bool or self.mask.shape != self.x.shape):
            raise ValueError(
                f"Batch.mask is True where a symbol of x is observed, a torch.bool of shape {list(self.x.shape)}; "
                f"got {self.mask.dtype} of shape {list(self.mask.shape)}"
            )
        if self.index.dtype != torch.int64 or self.index.shape != self.x.shape[:1]:
            raise ValueError(
                f"Batch.index is the number of each example in its split, a torch.int64 of shape "
                f"{list(self.x.shape[:1])}; got {self.index.dtype} of shape {list(self.index.shape)}"
            )
        for name, unit in self.units.items():
            if unit.shape != self.x.shape[:1]:
                raise ValueError(
                    f"Batch.units['{name}'] counts the units of each example, shape {list(self.x.shape[:1])}; "
                    f"got shape {list(unit.shape)}"
                )

    def __len__(self) -> int:
        """Number of examples, B."""
        return len(self.x)

    @property
    def counts(self) -> Tensor:
        """Observed symbols of each example, [B], int64."""
        if self.mask is None:
            return torch.full((len(self),), self.x.shape[1:].numel(), device=self.x.device)
        return self.mask.flatten(1).sum(1)

    def map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with every tensor changed in the same way."""
        mask = None if self.mask is None else change(self.mask)
        units = {name: change(unit) for name, unit in self.units.items()}
        return dataclasses.replace(self, x=change(self.x), mask=mask, index=change(self.index), units=units)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on another device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory, for a fast copy to a GPU."""
        return self.map(Tensor.pin_memory)

    def __getitem__(self, examples: slice | Tensor) -> Batch:
        """Some of the examples."""
        return self.map(lambda tensor: tensor[examples])
