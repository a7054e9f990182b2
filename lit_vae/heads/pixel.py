"""The way in, the geometry and the units that every head for pictures shares."""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lit_vae.batch import Batch
from lit_vae.heads.base import DecoderHead

LN2 = math.log(2.0)


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
    most_values: int = 65536
    """Largest alphabet the head is exact for; a head that takes fewer says so."""

    def __init__(
        self, width: int, num_values: int, shape: Sequence[int | None], parameters: int, kernel_size: int = 1
    ) -> None:
        super().__init__(width, num_values, shape)
        name = type(self).__name__
        if len(self.shape) != 3 or None in self.shape:
            raise ValueError(
                f"{name} draws pictures [C, H, W], but the data has examples of shape {list(self.shape)}: "
                f"change model.head (for text: lit_vae.heads.SoftmaxTokenHead) or data"
            )
        if not 2 <= num_values <= self.most_values:
            raise ValueError(
                f"{name} is exact for 2 to {self.most_values} grey levels, but the data has {num_values}: "
                f"change model.head, or data.init_args.num_values where the data module can quantise"
            )
        if kernel_size % 2 != 1:
            raise ValueError(f"model.head.init_args.kernel_size must be odd, got {kernel_size}")
        channels, height, breadth = (int(n) for n in self.shape if n is not None)
        self.channels = channels
        self.embed_width = channels
        self.positions = (height, breadth)
        self.output = nn.Conv2d(width, parameters, kernel_size, padding=kernel_size // 2)

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
        """The output convolution, [B, H, W, parameters], from features [B, H, W, width]."""
        return self.output(features.movedim(-1, 1)).movedim(1, -1)

    def report(self, nats: Tensor, examples: Tensor, symbols: Tensor, units: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ARG002
        """Bits per dimension (a dimension is one channel of one pixel) and nats per picture."""
        return {"bits_per_dim": nats / (symbols * LN2), "nats_per_image": nats / examples}
