"""What stands where a derivative ends."""

from typing import Any

import torch
from torch import Tensor


def differentiable_once(gradient: Tensor, what: str, *inputs: Tensor) -> Tensor:
    """A gradient that a formula of its own made, [*], whose own derivative is refused rather than taken for 0.

    Args:
        gradient: Made without a graph, [*].
        what: Whose it is, for the message.
        inputs: What it depends on.

    Raises:
        NotImplementedError: In the backward pass, if it is differentiated.
    """
    end: Tensor = _End.apply(gradient, what, *inputs)
    return end


class _End(torch.autograd.Function):
    """The identity of its first argument, without a derivative."""

    @staticmethod
    def forward(gradient: Tensor, _what: str, *_inputs: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], _output: Tensor) -> None:
        ctx.what = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        raise NotImplementedError(f"{ctx.what} is differentiable once: there is no formula for a second derivative")
