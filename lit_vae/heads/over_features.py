"""What the causal networks of autoregressive heads have in common."""

from typing import Generic, TypeVar

import torch
from torch import Tensor

from lit_vae.heads.token import TokenHead

Head = TypeVar("Head", bound=TokenHead)


class OverFeatures(Generic[Head]):
    """The causal network of one batch: a head's, with the features of these texts in it.

    Args:
        head: Whose network it is.
        features: Of each position, [B, L, width].
        mask: Observed tokens, [B, L], bool; None for all.
    """

    def __init__(self, head: Head, features: Tensor, mask: Tensor | None) -> None:
        self._head = head
        self._features = features
        self._mask = mask

    @property
    def device(self) -> torch.device:
        return self._features.device
