"""How much the KL counts at a step of training: constant, or a function of the step."""

from abc import ABC, abstractmethod
from math import exp

from torch import Tensor, nn

KEY = "model.objective.init_args.kl_weight"


class KLSchedule(nn.Module, ABC):
    """The weight of the KL over the steps of a training run."""

    @abstractmethod
    def forward(self, step: int, rate: Tensor) -> Tensor:
        """Weight, [], in the type of ``rate``.

        Args:
            step: Optimizer steps taken so far.
            rate: KL of each example of the batch at hand, [B], nats, detached: for a schedule that steers by it.
        """


class Constant(KLSchedule):
    """One weight throughout: what a plain number stands for.

    Args:
        weight: 1 is the bound itself; another is a beta-VAE.

    Raises:
        ValueError: If ``weight`` is negative.

    Source:
        Higgins et al., 2017, https://openreview.net/forum?id=Sy2fzU9gl.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if not weight >= 0:
            raise ValueError(f"{KEY} must be >= 0, got {weight}")
        self.weight = weight

    def forward(self, step: int, rate: Tensor) -> Tensor:
        return rate.new_full((), self.weight)


class Linear(KLSchedule):
    """A straight line: max(floor, start + (end - start) * clip((step - delay) / steps, 0, 1)).

    Efficient-VDVAE's is ``steps: 5021, delay: 21, floor: 1e-4``; NVAE's ``floor: 1e-4`` and ``steps`` 30% of all;
    He et al.'s (2019) for text ``start: 0.1`` or 0 and ``steps`` ten epochs.

    Args:
        steps: Optimizer steps from ``start`` to ``end``.
        start: Weight at first.
        end: Weight from then on.
        delay: Steps before the line begins.
        floor: The least that the weight is.

    Raises:
        ValueError: If ``steps`` is below 1 or another is negative.

    Source:
        Bowman et al., 2016, https://arxiv.org/abs/1511.06349; Sonderby et al., 2016, https://arxiv.org/abs/1602.02282.
    """

    def __init__(self, steps: int, start: float = 0.0, end: float = 1.0, delay: int = 0, floor: float = 0.0) -> None:
        super().__init__()
        if steps < 1 or not min(start, end, delay, floor) >= 0:
            raise ValueError(
                f"of {KEY}.init_args, steps must be >= 1, and start, end, delay and floor >= 0, "
                f"got {steps}, {start}, {end}, {delay} and {floor}"
            )
        self.steps = steps
        self.start = start
        self.end = end
        self.delay = delay
        self.floor = floor

    def forward(self, step: int, rate: Tensor) -> Tensor:
        along = min(1.0, max(0.0, (step - self.delay) / self.steps))
        return rate.new_full((), max(self.floor, self.start + (self.end - self.start) * along))


class Logistic(KLSchedule):
    """An S: end / (1 + exp(-slope * (step - midpoint))).

    Args:
        midpoint: The step at which the weight is half of ``end``.
        slope: Steepness there, per step; the weight goes from 0.1 to 0.9 of ``end`` in 4.4 / slope steps.
        end: What the weight tends to.

    Raises:
        ValueError: If ``slope`` is not above 0 or ``end`` is negative.

    Source:
        Bowman et al., 2016, https://arxiv.org/abs/1511.06349. Written as a hyperbolic tangent of (step - m) / w, the
        same S has ``midpoint`` m and ``slope`` 2 / w.
    """

    def __init__(self, midpoint: int = 2500, slope: float = 0.0025, end: float = 1.0) -> None:
        super().__init__()
        if not (slope > 0 and end >= 0):
            raise ValueError(f"of {KEY}.init_args, slope must be > 0 and end >= 0, got {slope} and {end}")
        self.midpoint = midpoint
        self.slope = slope
        self.end = end

    def forward(self, step: int, rate: Tensor) -> Tensor:
        # Far before the midpoint exp would overflow; the weight is 0 to any precision there.
        exponent = min(700.0, self.slope * (self.midpoint - step))
        return rate.new_full((), self.end / (1 + exp(exponent)))


class Cyclical(KLSchedule):
    """Zero, a rise and a plateau, again and again; the plateau's weight once all cycles are over.

    The published cycles have no zero phase and a ``rise`` of 0.5; Optimus has one cycle, ``zero: 0.5, rise: 0.25``.

    Args:
        steps: Optimizer steps of all cycles together.
        cycles: How many.
        zero: Share of a cycle during which the weight is 0.
        rise: Share of a cycle in which it then rises in a line.
        end: Weight for the rest of the cycle.

    Raises:
        ValueError: If a count is below 1, or the shares do not fit into a cycle.

    Source:
        Fu et al., 2019, https://arxiv.org/abs/1903.10145. Zero phase: Li et al., 2020, Optimus,
        https://arxiv.org/abs/2004.04092.
    """

    def __init__(self, steps: int, cycles: int = 4, zero: float = 0.0, rise: float = 0.5, end: float = 1.0) -> None:
        super().__init__()
        if min(steps, cycles) < 1 or not (zero >= 0 and rise >= 0 and zero + rise <= 1 and end >= 0):
            raise ValueError(
                f"of {KEY}.init_args, steps and cycles must be >= 1, zero, rise and end >= 0, and zero + rise "
                f"at most 1, got {steps}, {cycles}, {zero}, {rise} and {end}"
            )
        self.steps = steps
        self.cycles = cycles
        self.zero = zero
        self.rise = rise
        self.end = end

    def forward(self, step: int, rate: Tensor) -> Tensor:
        # In whole numbers, so that a cycle begins where it should.
        into = step * self.cycles % self.steps / self.steps if step < self.steps else 1.0
        if into < self.zero:
            return rate.new_zeros(())
        return rate.new_full((), self.end * (min(1.0, (into - self.zero) / self.rise) if self.rise > 0 else 1.0))
