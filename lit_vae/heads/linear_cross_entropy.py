"""Cross-entropy of a linear map without its logits: the whole [tokens, vocabulary] array never exists."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SCRATCH_BYTES = 2**26
"""For the logits of some tokens at a time. Less saves memory, but each time adds to the table's whole gradient."""


def linear_cross_entropy(features: Tensor, table: Tensor, bias: Tensor, ids: Tensor) -> Tensor:
    """-log softmax(features @ table.T + bias) at each id, [N], nats, float32 or better.

    The forward pass already makes the gradient of the plain sum, since a training loss weighs every token alike. For
    other weights the backward pass scales the features' gradient and makes the table's again. Products are in the
    table's type, or in autocast's; what is summed, is summed in float32 or better. There are no higher derivatives.

    Args:
        features: [N, width].
        table: [num_values, width].
        bias: [num_values].
        ids: [N], int64.
    """
    return LinearCrossEntropy.apply(features, table, bias, ids, torch.is_grad_enabled())


class LinearCrossEntropy(torch.autograd.Function):
    """The function above, with its gradient."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, table: Tensor, bias: Tensor, ids: Tensor, differentiable: bool) -> Tensor:
        device = features.device.type
        ctx.product = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else table.dtype
        to_features, to_table, to_bias = (differentiable and needs for needs in ctx.needs_input_grad[:3])
        nats, *gradients = by_rows(features, table, bias, ids, ctx.product, to_features, to_table or to_bias)
        ctx.save_for_backward(features, table, bias, ids, *gradients)
        return nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor | None, ...]:
        features, table, bias, ids, d_features, d_table, d_bias = ctx.saved_tensors
        if d_features is not None:
            d_features = (d_features * weights.unsqueeze(1)).to(features.dtype)
        if d_table is not None and len(ids) > 0:
            if bool((weights == weights[0]).all()):
                d_table, d_bias = d_table * weights[0], d_bias * weights[0]
            else:
                _, _, d_table, d_bias = by_rows(features, table, bias, ids, ctx.product, False, True, weights)
        if d_table is not None:
            d_table, d_bias = d_table.to(table.dtype), d_bias.to(bias.dtype)
        return d_features, d_table, d_bias, None, None


def by_rows(
    features: Tensor,
    table: Tensor,
    bias: Tensor,
    ids: Tensor,
    product: torch.dtype,
    to_features: bool,
    to_table: bool,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """Nats [N], and the gradients of their sum that are asked for: to features, to table and to bias.

    Args:
        features: [N, width].
        table: [num_values, width].
        bias: [num_values].
        ids: [N], int64.
        product: Type in which matrices are multiplied.
        to_features: Whether to make the first gradient.
        to_table: Whether to make the other two.
        weights: Of each token in the gradients to table and bias, [N]; None for 1.
    """
    with torch.autocast(features.device.type, enabled=False):
        features, table, bias = features.to(product), table.to(product), bias.to(product)
        sums = torch.promote_types(product, torch.float32)
        tokens, values = len(features), len(table)
        nats = features.new_empty(tokens, dtype=sums)
        d_features = torch.empty_like(features) if to_features else None
        d_table = torch.zeros_like(table, dtype=sums) if to_table else None
        d_bias = torch.zeros_like(bias, dtype=sums) if to_table else None
        weights = torch.ones_like(nats) if weights is None else weights.to(sums)
        rows = max(1, min(tokens, SCRATCH_BYTES // (values * (product.itemsize + sums.itemsize))))
        scratch, high_scratch = features.new_empty(rows, values), features.new_empty(rows, values, dtype=sums)
        for start in range(0, tokens, rows):
            part = slice(start, start + rows)
            some, right = features[part], ids[part].unsqueeze(1)
            logits, high = scratch[: len(some)], high_scratch[: len(some)]
            torch.addmm(bias, some, table.T, out=logits)
            torch.log_softmax(logits, 1, dtype=sums, out=high)
            nats[part] = -high.gather(1, right).squeeze(1)
            if d_features is None and d_table is None:
                continue
            errors = high.exp_().scatter_add_(1, right, high.new_full((len(some), 1), -1.0))
            if d_bias is not None:
                d_bias.addmv_(errors.T, weights[part])
            if product != sums:
                errors = logits.copy_(errors)
            if d_features is not None:
                torch.mm(errors, table, out=d_features[part])
            if d_table is not None:
                weighted = some * weights[part].to(product).unsqueeze(1)
                if product == sums:
                    d_table.addmm_(errors.T, weighted)
                else:
                    d_table += errors.T @ weighted
    return nats, d_features, d_table, d_bias
