"""The integer grid of grey levels and where it lies on [-1, 1]."""

from dataclasses import dataclass

import torch
from torch import Tensor


def widest_float(device: torch.device) -> torch.dtype:
    """float64, or float32 on a device that lacks it."""
    return torch.float32 if device.type == "mps" else torch.float64


@dataclass(frozen=True)
class Grid:
    """Grey levels 0..num_values-1 at -1 + 2k / (num_values - 1), each in the middle of its bin.

    Args:
        num_values: Grey levels.
    """

    num_values: int

    @property
    def half_bin(self) -> float:
        """Half the distance of two levels."""
        return 1.0 / (self.num_values - 1)

    @property
    def dtype(self) -> torch.dtype:
        """Integer type of a batch of codes."""
        return torch.uint8 if self.num_values <= 256 else torch.int32

    def scaled(self, codes: Tensor) -> Tensor:
        """Codes on [-1, 1], [*], float64: a narrow bin's edges leave no digit to spare."""
        return (2.0 * codes.to(widest_float(codes.device)) - (self.num_values - 1)) * self.half_bin

    def nearest(self, points: Tensor) -> Tensor:
        """The code whose bin a point falls into, the outer bins without end, [*], int64.

        Args:
            points: On the scale where the grid spans [-1, 1], [*], float64 where the grid is fine.
        """
        levels = (points + 1.0) * (0.5 * (self.num_values - 1))
        return torch.floor(levels + 0.5).clamp(0, self.num_values - 1).long()
