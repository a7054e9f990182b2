"""Cross-entropy of a linear map without its logits: the whole [tokens, vocabulary] array never exists."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lit_vae.distributions.derivatives import differentiable_once

SCRATCH_BYTES = 2**25
"""For the scores of some tokens at a time. Less saves memory, but each time adds to the table's whole gradient."""

SCRATCH_PART = 4
"""One such part of the table is the least for the scores: else a huge table's gradient takes most of the time."""

BLOCK = 2048
"""Rows of the table whose gradient in a lower precision exists at a time."""

CACHE_BYTES = 2**20
"""For the float32 scores of a few of them, within a processor core's own cache."""

HALF_ROWS = 2048
"""Tokens at a time whose gradients are summed in float16, which ends at 65504: far enough for features up to 30."""


def linear_cross_entropy(features: Tensor, table: Tensor, bias: Tensor, ids: Tensor) -> Tensor:
    """-log softmax(features @ table.T + bias) at each id, [N], nats, float32 or better.

    The forward pass already makes the gradient of the plain sum, since a training loss weighs every token alike. For
    other weights the backward pass scales the features' gradient and makes the table's again. Products are in the
    table's type, or in autocast's; what is summed, is summed in float32 or better. A second derivative raises.

    Args:
        features: [N, width].
        table: [num_values, width].
        bias: [num_values].
        ids: [N], int64.
    """
    device = features.device.type
    product = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else table.dtype
    learns = [torch.is_grad_enabled() and tensor.requires_grad for tensor in (features, table, bias)]
    nats, *_ = LinearCrossEntropy.apply(features, table, bias, ids, product, learns[0], learns[1] or learns[2])
    return nats


class LinearCrossEntropy(torch.autograd.Function):
    """:func:`by_rows`, with the gradient of the nats."""

    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        return by_rows(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor | None, ...]) -> None:
        features, table, bias, ids, ctx.product, _, _ = inputs
        ctx.mark_non_differentiable(*(gradient for gradient in output[1:] if gradient is not None))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(features, table, bias, ids, *output[1:])

    @staticmethod
    def backward(ctx: Any, weights: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        if weights is None:
            return (None,) * 7
        with torch.no_grad():
            gradients = LinearCrossEntropy.weighed(ctx, weights)
        inputs = weights, *ctx.saved_tensors[:3]
        ends = (g if g is None else differentiable_once(g, "linear_cross_entropy", *inputs) for g in gradients)
        return *ends, None, None, None, None

    @staticmethod
    def weighed(ctx: Any, weights: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Gradients to features, table and bias, the tokens weighed, [N]."""
        features, table, bias, ids, d_features, d_table, d_bias = ctx.saved_tensors
        if d_features is not None:
            d_features = (d_features * weights.unsqueeze(1)).to(features.dtype)
        if d_table is not None:
            scale = weights[:1].sum()
            if not bool((weights == scale).all()):
                # A loss scale may be more than float16 holds, and a token's share of a mean less.
                scale = weights.abs().amax()
                _, _, d_table, d_bias = by_rows(features, table, bias, ids, ctx.product, False, True, weights / scale)
            d_table, d_bias = (d_table * scale).to(table.dtype), (d_bias * scale).to(bias.dtype)
        return d_features, d_table, d_bias


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
        most = HALF_ROWS if product == torch.float16 else tokens
        scratch_bytes = max(SCRATCH_BYTES, table.nbytes // SCRATCH_PART)
        rows = max(1, min(tokens, most, scratch_bytes // (values * product.itemsize)))
        scratch = features.new_empty(rows, values)
        for start in range(0, tokens, rows):
            part = slice(start, start + rows)
            some = features[part]
            scores = torch.addmm(bias, some, table.T, out=scratch[: len(some)])
            nats[part] = score(scores, ids[part], weights[part], to_features or to_table, d_bias)
            if d_features is not None:
                torch.mm(scores, table, out=d_features[part])
            if d_table is not None:
                weighted = some * weights[part].to(product).unsqueeze(1)
                if product == sums:
                    d_table.addmm_(scores.T, weighted)
                    continue
                for errors, d_rows in zip(scores.split(BLOCK, 1), d_table.split(BLOCK), strict=True):
                    d_rows += errors.T @ weighted
    return nats, d_features, d_table, d_bias


def score(scores: Tensor, ids: Tensor, weights: Tensor, to_errors: bool, d_bias: Tensor | None) -> Tensor:
    """Nats of each token, [N], and scores turned in place into p(value) - 1[value is the token].

    Args:
        scores: [N, num_values].
        ids: [N], int64.
        weights: Of each token in the gradient to bias, [N], in the type of sums.
        to_errors: Whether scores are to turn; else they may hold anything after.
        d_bias: Where that gradient is added, [num_values], in the type of sums; None for nowhere.
    """
    tokens, values = scores.shape
    sums = weights.dtype
    rows = max(1, tokens)
    if scores.device.type == "cpu":
        rows = max(1, min(rows, torch.get_num_threads() * CACHE_BYTES // (values * sums.itemsize)))
    scratch = None if scores.dtype == sums else scores.new_empty(rows, values, dtype=sums)
    nats = []
    for some, right, weight in zip(scores.split(rows), ids.split(rows), weights.split(rows), strict=True):
        right = right.unsqueeze(1)
        high = some if scratch is None else scratch[: len(some)].copy_(some)
        high.sub_(high.amax(1, keepdim=True))
        chosen = high.gather(1, right)
        total = high.exp_().sum(1, keepdim=True)
        nats.append((total.log() - chosen).squeeze(1))
        if to_errors:
            high.div_(total).scatter_add_(1, right, high.new_full((len(some), 1), -1.0))
            if d_bias is not None:
                d_bias.addmv_(high.T, weight)
            if scratch is not None:
                some.copy_(high)
    return torch.cat(nats)
