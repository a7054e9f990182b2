"""What the heads share whose pixels are mixtures of one discretized family."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from lit_vae.distributions.families import Family
from lit_vae.distributions.mixture import DiscretizedMixture
from lit_vae.distributions.mixture_layout import MixtureLayout
from lit_vae.distributions.scales import ScaleLink, default_floor
from lit_vae.heads.pixel import PixelHead, picture_shape

INITIAL_LOG_SCALE = math.log(0.5)
"""Wide enough that a picture of uniform noise costs little more than log2(num_values) bits/dim at first."""


class MixturePixelHead(PixelHead):
    """Each pixel a mixture of discretized distributions; exact for any number of grey levels and channels.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: grey levels of each channel.
        shape: Linked to the data: (C, H, W).
        components: K; 1 is the plain discretized distribution.
        autoregressive: Whether the means of a channel depend on the pixel's earlier channels, as in PixelCNN++.
        scale: ``pixel``: learned for every term of every pixel; ``shared``: one learned per channel; ``fixed``: given.
        fixed_scale: The scale where it is fixed, in grey levels.
        scale_form: What a learned scale is of the number behind it: ``exp``, or ``softplus`` with ``softplus_beta``,
            whose bounded slope Efficient-VDVAE found steadier.
        softplus_beta: Beta of the softplus.
        log_scale_floor: Smallest log of a learned scale where the grey levels span [-1, 1]; unset, what the usual -7 is
            at 256 levels: about a ninth of a grey level.
        kernel_size: Of the output convolution; odd.

    Raises:
        ValueError: If an argument is out of its range, or ``fixed_scale`` is given for a scale that is learned.
    """

    def __init__(
        self,
        width: int,
        num_values: int,
        shape: Sequence[int | None],
        components: int = 10,
        autoregressive: bool = True,
        scale: Literal["pixel", "shared", "fixed"] = "pixel",
        fixed_scale: float | None = None,
        scale_form: Literal["exp", "softplus"] = "exp",
        softplus_beta: float = math.log(2.0),
        log_scale_floor: float | None = None,
        kernel_size: int = 1,
    ) -> None:
        key = "model.head.init_args."
        if components < 1:
            raise ValueError(f"{key}components counts up from 1, got {components}")
        if scale not in ("pixel", "shared", "fixed"):
            raise ValueError(f"{key}scale is 'pixel', 'shared' or 'fixed', got {scale!r}")
        if scale_form not in ("exp", "softplus"):
            raise ValueError(f"{key}scale_form is 'exp' or 'softplus', got {scale_form!r}")
        if not softplus_beta > 0:
            raise ValueError(f"{key}softplus_beta must be above 0, got {softplus_beta}")
        if (scale == "fixed") != (fixed_scale is not None) or (fixed_scale is not None and not fixed_scale > 0):
            raise ValueError(
                f"{key}fixed_scale is a number of grey levels above 0 where {key}scale is 'fixed', and unset "
                f"elsewhere; got {fixed_scale} with {scale!r}"
            )
        if log_scale_floor is not None and not log_scale_floor >= -30:
            raise ValueError(f"{key}log_scale_floor must not be below -30, got {log_scale_floor}")
        channels = picture_shape(type(self).__name__, shape)[0]
        layout = MixtureLayout(channels, components, scale == "pixel", autoregressive)
        super().__init__(width, num_values, shape, layout.size, kernel_size)
        self.layout = layout
        floor = default_floor(num_values) if log_scale_floor is None else log_scale_floor
        self.link = ScaleLink(scale_form, softplus_beta, floor)
        self.fixed_log_scale = math.log(fixed_scale * 2 / (num_values - 1)) if fixed_scale is not None else None
        self.shared_scale = (
            nn.Parameter(torch.full((channels, 1), self.link.raw(INITIAL_LOG_SCALE))) if scale == "shared" else None
        )
        self._spread_out()

    @property
    @abstractmethod
    def family(self) -> Family:
        """What is cut into bins."""

    @torch.no_grad()
    def _spread_out(self) -> None:
        """Means evenly over the range, and wide scales."""
        assert self.output.bias is not None, "the output convolution has a bias"
        parts, components = self.layout.split(self.output.bias), self.layout.components
        parts.means.copy_((2 * torch.arange(components) + 1) / components - 1)
        if parts.scales is not None:
            parts.scales.fill_(self.link.raw(INITIAL_LOG_SCALE))

    def forward(self, features: Tensor, mask: Tensor | None = None) -> DiscretizedMixture:
        raw = self.project(features)
        log_scale = None
        if self.shared_scale is not None:
            log_scale = self.link.log_scale(self.shared_scale)
        elif self.fixed_log_scale is not None:
            log_scale = raw.new_full((), self.fixed_log_scale)
        return DiscretizedMixture(raw, self.layout, self.family, self.num_values, self.link, log_scale, mask)
