"""The way in, the geometry and the units that every head for pictures shares."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lit_vae.batch import Batch
from lit_vae.distributions.precision import without_autocast
from lit_vae.heads.base import DecoderHead

LN2 = math.log(2.0)


def picture_shape(head: str, shape: Sequence[int | None]) -> tuple[int, int, int]:
    """The shape as channels, height and breadth.

    Args:
        head: Name of the head that asks, for the message.
        shape: Shape of one example.

    Raises:
        ValueError: If it is no picture's.
    """
    sizes = [size for size in shape if size is not None]
    if len(shape) != 3 or len(sizes) != 3:
        raise ValueError(
            f"{head} draws pictures [C, H, W], but the data has examples of shape {list(shape)}: "
            f"change model.head (for text: lit_vae.heads.SoftmaxTokenHead) or data"
        )
    return sizes[0], sizes[1], sizes[2]


class PixelHead(DecoderHead):
    """A head for pictures [C, H, W] over grey levels 0..num_values-1, whose order means something.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: grey levels of each channel.
        shape: Linked to the data: (C, H, W).
        parameters: Numbers that describe the distribution of one pixel.
        kernel_size: Of the output convolution; odd.

    Raises:
        ValueError: If ``shape`` is no picture, or the head is not exact for ``num_values``.
    """

    rate_name = "bits_per_dim"
    per_example = "nats_per_image"
    symbols = "dims"
    most_values: int = 65536
    """Largest alphabet the head is exact for; a head that takes fewer says so."""

    def __init__(
        self, width: int, num_values: int, shape: Sequence[int | None], parameters: int, kernel_size: int = 1
    ) -> None:
        super().__init__(width, num_values, shape)
        name = type(self).__name__
        self.channels, height, breadth = picture_shape(name, shape)
        if not 2 <= num_values <= self.most_values:
            exact = "2" if self.most_values == 2 else f"2 to {self.most_values}"
            raise ValueError(
                f"{name} is exact for {exact} grey levels, but the data has {num_values}: "
                f"change model.head, or data.init_args.bits where the data module has it"
            )
        if kernel_size < 1 or kernel_size % 2 != 1:
            raise ValueError(f"model.head.init_args.kernel_size must be odd, got {kernel_size}")
        self.embed_width = self.channels
        self.positions: tuple[int, int] = (height, breadth)
        self.output = nn.Conv2d(width, parameters, kernel_size, padding=kernel_size // 2)
        self._start_quietly()

    @torch.no_grad()
    def _start_quietly(self) -> None:
        """At first the features say little, so that the bias decides what the distributions are."""
        assert self.output.bias is not None, "the output convolution has a bias"
        self.output.weight.mul_(0.1)
        self.output.bias.zero_()

    def embed(self, batch: Batch) -> Tensor:
        """Grey levels scaled to [-1, 1], zero where nothing is observed, [B, H, W, C]."""
        scaled = batch.x.to(self.output.weight.dtype) * (2.0 / (self.num_values - 1)) - 1.0
        if batch.mask is not None:
            scaled = scaled.masked_fill(~batch.mask, 0.0)
        return scaled.movedim(1, -1)

    def position_mask(self, mask: Tensor | None) -> Tensor | None:
        """Pixels with at least one observed channel, [B, H, W]."""
        return None if mask is None else mask.any(1)

    def project(self, features: Tensor) -> Tensor:
        """The output convolution, [B, H, W, parameters], from features [B, H, W, width].

        In float32 or better even under autocast: a mean rounded to bfloat16 is off by up to half a grey level of 256.

        Args:
            features: Of the picture, or of the picture with a margin around it: the convolution sees the margin, and
                what it makes of the margin is left out.

        Raises:
            ValueError: If the features are not those of the picture with a margin of one width, or with none.
        """
        weight, bias = self.output.weight, self.output.bias
        assert bias is not None, "the output convolution has a bias"
        dtype = torch.promote_types(torch.promote_types(features.dtype, weight.dtype), torch.float32)
        with without_autocast(features.device):
            raw = nn.functional.conv2d(
                features.movedim(-1, 1).to(dtype), weight.to(dtype), bias.to(dtype), padding=self.output.padding
            )
        height, breadth = self.positions
        margin = (raw.shape[2] - height) // 2
        if margin < 0 or tuple(raw.shape[2:]) != (height + 2 * margin, breadth + 2 * margin):
            raise ValueError(
                f"{type(self).__name__} draws pictures of {height}x{breadth}, from features of that size or with the "
                f"same margin on all sides, got features of {raw.shape[2]}x{raw.shape[3]}: change model.backbone, or "
                f"the size that model.head is made for"
            )
        return raw[..., margin : margin + height, margin : margin + breadth].movedim(1, -1)

    def report(self, nats: Tensor, examples: Tensor, symbols: Tensor, units: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Bits per dimension (a dimension is one channel of one pixel) and nats per picture."""
        return {"bits_per_dim": nats / (symbols * LN2), "nats_per_image": nats / examples}
