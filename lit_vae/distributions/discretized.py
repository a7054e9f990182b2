"""A family of distributions on the line as masses of grey levels: the end levels take the tails."""

import torch
from torch import Tensor

from lit_vae.distributions.families import Family
from lit_vae.distributions.grid import Grid

WIDEST = 15.0
"""Log-scale from which on the inner bins are flat: their mass falls as exp(-log_scale), and half is on either end."""


def log_mass(family: Family, grid: Grid, codes: Tensor, centre: Tensor, log_scale: Tensor) -> Tensor:
    """Log-mass of each grey level, [*], nats; over all levels the masses sum to one.

    Exact without a threshold: the distance to a bin's edges is taken in float64, since at log-scale -9 the edges
    themselves, rounded to float32, would be off by 1e-4 scales; the width is never a difference.

    Args:
        family: What is cut into bins.
        grid: Where the bins are.
        codes: Grey levels, broadcastable to [*], integer.
        centre: Of the distribution, where the grid spans [-1, 1], [*].
        log_scale: Log of its scale, broadcastable to [*], float32 or float64: the result's type.
    """
    narrower = log_scale.clamp(max=WIDEST)
    sharpness = (-narrower).exp()
    offset = grid.scaled(codes) - centre
    distance = offset.abs()
    near = (distance - grid.half_bin).to(log_scale.dtype) * sharpness
    far = (distance + grid.half_bin).to(log_scale.dtype) * sharpness
    inside = family.log_interval(near, far, 2 * grid.half_bin * sharpness) - (log_scale - narrower)
    lowest = codes == 0
    start = (torch.where(lowest, -offset, offset) - grid.half_bin).to(log_scale.dtype) * sharpness
    return torch.where(lowest | (codes == grid.num_values - 1), family.log_survival(start), inside)


def mode(family: Family, grid: Grid, centre: Tensor, log_scale: Tensor) -> Tensor:
    """The heaviest grey level, [*], int64: the one nearest to the centre, or an end whose tail outweighs it.

    Args:
        family: What is cut into bins.
        grid: Where the bins are.
        centre: Of the distribution, [*].
        log_scale: Log of its scale, [*].
    """
    nearest = grid.nearest(centre)
    candidates = torch.stack([nearest, torch.zeros_like(nearest), torch.full_like(nearest, grid.num_values - 1)], -1)
    masses = log_mass(family, grid, candidates, centre.unsqueeze(-1), log_scale.unsqueeze(-1))
    return candidates.gather(-1, masses.argmax(-1, keepdim=True)).squeeze(-1)
