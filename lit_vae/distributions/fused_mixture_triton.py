"""The mixture of discretized logistics on a GPU: one kernel for the likelihood, one for its gradient.

The arithmetic is that of :mod:`lit_vae.distributions.fused_mixture`. Each kernel reads the parameters once; that of the
gradient writes it once, already weighed. Nothing else of their size is in memory at any time.
"""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor
from torch.cuda import device_of

LANES = 256
"""Components times pixels that a program works on."""


def log_prob(
    params: Tensor, codes: Tensor, num_values: int, components: int, autoregressive: bool, floor: float, out: Tensor
) -> None:
    """Fill ``out`` with log p of each pixel, [B, H, W], nats.

    Args:
        params: [B, H, W, P], contiguous in this order or as [B, P, H, W].
        codes: Grey levels, [B, C, H, W].
        num_values: Number of grey levels.
        components: Components of the mixture.
        autoregressive: Whether a channel's mean depends on the channels before it.
        floor: Least log-scale.
        out: Contiguous, float32.
    """
    _launch(params, codes, out, out, num_values, components, autoregressive, floor, differentiate=False)


def gradient(
    params: Tensor,
    codes: Tensor,
    weights: Tensor,
    num_values: int,
    components: int,
    autoregressive: bool,
    floor: float,
    out: Tensor,
) -> None:
    """Fill ``out`` with the gradient of the sum of ``weights`` times log p.

    Args:
        params: As for :func:`log_prob`.
        codes: As for :func:`log_prob`.
        weights: Of each pixel, [B, H, W], float.
        num_values: As for :func:`log_prob`.
        components: As for :func:`log_prob`.
        autoregressive: As for :func:`log_prob`.
        floor: As for :func:`log_prob`.
        out: Of the shape, type and strides of ``params``.
    """
    weights = weights.contiguous()
    _launch(params, codes, weights, out, num_values, components, autoregressive, floor, differentiate=True)


def _launch(
    params: Tensor,
    codes: Tensor,
    weights: Tensor,
    out: Tensor,
    num_values: int,
    components: int,
    autoregressive: bool,
    floor: float,
    differentiate: bool,
) -> None:
    batch, channels, height, width = codes.shape
    pixels = height * width
    padded = triton.next_power_of_2(components)
    block = max(1, LANES // padded)
    if batch * pixels == 0:
        return
    with device_of(params):
        _kernel[(triton.cdiv(batch * pixels, block),)](
            params,
            codes.contiguous(),
            weights,
            out,
            batch * pixels,
            pixels,
            params.stride(0),
            params.view(batch, pixels, -1).stride(1),
            params.stride(3),
            floor,
            LAST=num_values - 1,
            C=channels,
            K=components,
            K_PADDED=padded,
            BLOCK=block,
            AUTOREGRESSIVE=autoregressive,
            DIFFERENTIATE=differentiate,
        )


@triton.jit
def _kernel(
    params,
    codes,
    weights,
    out,
    total,
    pixels,
    image_stride,
    pixel_stride,
    parameter_stride,
    floor,
    LAST: tl.constexpr,
    C: tl.constexpr,
    K: tl.constexpr,
    K_PADDED: tl.constexpr,
    BLOCK: tl.constexpr,
    AUTOREGRESSIVE: tl.constexpr,
    DIFFERENTIATE: tl.constexpr,
):
    HALF_BIN: tl.constexpr = 1.0 / LAST
    SATURATED: tl.constexpr = 32.0
    WIDEST: tl.constexpr = 40.0
    MEANS: tl.constexpr = K if K > 1 else 0
    SCALES: tl.constexpr = MEANS + C * K
    COEFFICIENTS: tl.constexpr = SCALES + C * K

    n = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    exists = n < total
    image = n // pixels
    pixel = n % pixels
    k = tl.arange(0, K_PADDED).to(tl.int64)[None, :]
    is_component = k < K
    valid = exists[:, None] & is_component
    start = (image * image_stride + pixel * pixel_stride)[:, None]

    joint = tl.zeros([BLOCK, K_PADDED], tl.float32)
    xs = ()
    by_means = ()
    by_log_scales = ()
    by_coefficients = ()
    for i in tl.static_range(C):
        grey = tl.load(codes + (image * C + i) * pixels + pixel, mask=exists, other=0).to(tl.float64)[:, None]
        x = (2.0 * grey - LAST) * HALF_BIN
        is_lowest = grey == 0
        is_highest = grey == LAST
        is_inner = (grey > 0) & (grey < LAST)

        where = params + start + (MEANS + i * K + k) * parameter_stride
        centre = tl.load(where, mask=valid, other=0.0).to(tl.float64)
        if AUTOREGRESSIVE:
            for j in tl.static_range(i):
                where = params + start + (COEFFICIENTS + (i * (i - 1) // 2 + j) * K + k) * parameter_stride
                raw = tl.load(where, mask=valid, other=0.0).to(tl.float64)
                decay = tl.exp(-2.0 * tl.minimum(tl.abs(raw), 20.0))
                slope = (1.0 - decay) / (1.0 + decay)
                slope = tl.where(raw < 0, -slope, slope)
                centre += slope * xs[j]
                by_coefficients = by_coefficients + (((1.0 - slope * slope) * xs[j]).to(tl.float32),)
        xs = xs + (x,)

        where = params + start + (SCALES + i * K + k) * parameter_stride
        raw = tl.load(where, mask=valid, other=0.0).to(tl.float32)
        inverse = tl.exp(-tl.minimum(tl.maximum(raw, floor), WIDEST))
        upper = tl.minimum((x - centre + HALF_BIN).to(tl.float32) * inverse, SATURATED)
        lower = tl.minimum((centre - x + HALF_BIN).to(tl.float32) * inverse, SATURATED)
        upper = tl.where(is_highest, SATURATED, upper)
        lower = tl.where(is_lowest, SATURATED, lower)
        width = tl.where(is_inner, tl.minimum(2.0 * HALF_BIN * inverse, 2.0 * SATURATED), 2.0 * SATURATED)

        # P = 1 / (1 + above), Q = 1 / (1 + below)
        above = tl.exp(-tl.maximum(upper, -SATURATED))
        below = tl.exp(-tl.maximum(lower, -SATURATED))
        # 1 - exp(-width), by its series where the difference would lose digits
        series = -1.0 / 24.0 + width * (1.0 / 120.0 - width * (1.0 / 720.0))
        series = width * (1.0 + width * (-0.5 + width * (1.0 / 6.0 + width * series)))
        share = tl.where(width < 0.25, series, 1.0 - tl.exp(-width))
        tails = (1.0 + above) * (1.0 + below)
        inverse_product = 1.0 / (tails * share)
        both = inverse_product * share

        tail = tl.minimum(tl.minimum(upper, lower) + SATURATED, 0.0)
        flat = tl.where(is_inner, tl.maximum(raw - WIDEST, 0.0), 0.0)
        joint += tl.log(both * share) + tail - flat
        if DIFFERENTIATE:
            by_means = by_means + ((below - above) * both * inverse,)
            outward = (upper * above * (1.0 + below) + lower * below * (1.0 + above)) * both
            by_log_scale = width - width * tails * inverse_product - outward
            by_log_scales = by_log_scales + (tl.where(raw < floor, 0.0, by_log_scale),)

    if K > 1:
        logits = tl.load(params + start + k * parameter_stride, mask=valid, other=0.0).to(tl.float32)
        logits = tl.where(is_component, logits, float("-inf"))
        logits -= tl.max(logits, 1)[:, None]
        priors = tl.exp(logits)
        prior_total = tl.sum(priors, 1)
        joint += logits
    highest = tl.max(joint, 1)
    shares = tl.exp(joint - highest[:, None])
    shares_total = tl.sum(shares, 1)
    if DIFFERENTIATE:
        weight = tl.load(weights + n, mask=exists, other=0.0).to(tl.float32)
        responsibility = shares * (weight / shares_total)[:, None]
        start = out + start
        if K > 1:
            by_logits = responsibility - priors * (weight / prior_total)[:, None]
            tl.store(start + k * parameter_stride, by_logits, mask=valid)
        for i in tl.static_range(C):
            by_mean = responsibility * by_means[i]
            tl.store(start + (MEANS + i * K + k) * parameter_stride, by_mean, mask=valid)
            by_log_scale = responsibility * by_log_scales[i]
            tl.store(start + (SCALES + i * K + k) * parameter_stride, by_log_scale, mask=valid)
            if AUTOREGRESSIVE:
                for j in tl.static_range(i):
                    where = start + (COEFFICIENTS + (i * (i - 1) // 2 + j) * K + k) * parameter_stride
                    tl.store(where, by_mean * by_coefficients[i * (i - 1) // 2 + j], mask=valid)
    else:
        nats = highest + tl.log(shares_total)
        if K > 1:
            nats -= tl.log(prior_total)
        tl.store(out + n, nats, mask=exists)
