"""Likelihoods and KLs are computed in float32 or better."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor itself, or float32 where it holds less."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context in which nothing is cast to half precision, on any kind of device, ``meta`` included."""
    available = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if available else nullcontext()
