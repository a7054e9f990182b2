"""Matrix products that round as another processor's might.

The order in which a kernel adds depends on the processor, on the shape of the product and on the place within it. So
one row alone, the same row in a batch and an equal row further down differ in their last bits, on each processor in
other places, while the same product taken twice is the same. Under :class:`OtherRounding` they differ everywhere.
"""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

UNITS = 2.0
"""Largest change, in units in the last place of the sum of the absolute values of what is added."""

SUMS = {"mm", "bmm", "mv", "dot", "addmm", "addmv", "baddbmm", "convolution"}
"""Operations whose results are sums of products of their arguments."""

OTHERS = {
    "convolution_backward",
    "mkldnn_rnn_layer",
    "mkldnn_rnn_layer_backward",
    "native_layer_norm",
    "native_batch_norm",
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention_for_cpu_backward",
}
"""Operations with sums inside; all of a result is changed in proportion."""


class OtherRounding(TorchDispatchMode):
    """Adds to each number of a product what another order of its sum might, by a formula of shape and place.

    Sums without products and functions of single numbers are left as they are, and so are halves, which every
    processor rounds alike after a sum in single precision.
    """

    def __torch_dispatch__(
        self, function: Callable, types: tuple[type, ...], args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__.rstrip("_")
        if name not in SUMS | OTHERS or not all(issubclass(torch.nn.Parameter, kind) for kind in types):
            return function(*args, **kwargs)
        if name in OTHERS:
            made = function(*args, **kwargs)
            for tensor in filter(rounded, made):
                change(tensor, tensor.abs())
            return made
        if not rounded(args[0]):
            return function(*args, **kwargs)
        options = {key: value for key, value in kwargs.items() if key != "out"}
        absolute = (value.abs() if isinstance(value, Tensor) else value for value in args)
        size = getattr(torch.ops.aten, name).default(*absolute, **options).abs()
        made = function(*args, **kwargs)
        change(made, size)
        return made


def rounded(value: object) -> bool:
    """Whether a value is a tensor of single or double precision on a processor."""
    return isinstance(value, Tensor) and value.dtype in (torch.float32, torch.float64) and value.device.type == "cpu"


def change(tensor: Tensor, size: Tensor) -> None:
    """Add to a tensor up to so many units in the last place of the size of each of its numbers, where finite."""
    added = pattern(tuple(tensor.shape), tensor.dtype) * size
    tensor.add_(torch.where(added.isfinite(), added, 0.0))


@cache
def pattern(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Irregular numbers from -:data:`UNITS` to :data:`UNITS` in the last place of 1, the same for a shape each time."""
    seed = sum((7 * axis + 3) * size for axis, size in enumerate(shape, 1))
    waves = 43758.5453 * (12.9898 * torch.arange(math.prod(shape), dtype=torch.float64) + seed).sin()
    return (UNITS * torch.finfo(dtype).eps * waves.frac()).to(dtype).view(shape)
