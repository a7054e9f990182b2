"""The learning rate over a run: up, level, and down to a floor; or down where the validation stops to improve."""

import math
import sys
from typing import Any

from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

KEY = "model.scheduler.init_args"


class WarmupCosine(LRScheduler):
    """Linear warm-up, the optimizer's own rate, then a cosine that ends at its floor and stays there.

    With t the updates behind it, the rate of the next one is, times that of the optimizer,

        (t + 1) / warmup                                              t < warmup
        1                                                             t < decay_start
        a cosine from 1 to floor / rate over decay_steps updates      from there on

    A function of t alone, so that it resumes exactly. All defaults: constant.

    Args:
        optimizer: Its rate is the highest; each group of parameters has its own.
        warmup: Updates until the rate is reached, the first at rate / warmup; 0 starts there.
        decay_start: Updates before the rate falls; null: as soon as the warm-up is over.
        decay_steps: Updates of the fall; null: the rate never falls.
        floor: The lowest rate, as the optimizer's ``lr`` is given, not a share of it.

    Raises:
        ValueError: If a number is out of range or contradicts another.

    Source:
        Warm-up, then level: Child, 2021, https://arxiv.org/abs/2011.10650 (100 steps; its first, at rate 0, is left
        out here). Level, then cosine: Hazami et al., 2022, https://arxiv.org/abs/2203.13751, whose program ignores
        the level part and lets the rate rise again after its floor. Warm-up, then cosine: Vahdat and Kautz, 2020,
        https://arxiv.org/abs/2007.03898 (in epochs; here in steps).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: int = 0,
        decay_start: int | None = None,
        decay_steps: int | None = None,
        floor: float = 0.0,
    ) -> None:
        if warmup < 0:
            raise ValueError(f"{KEY}.warmup counts updates, up from 0, got {warmup}")
        if decay_steps is not None and decay_steps < 1:
            raise ValueError(f"{KEY}.decay_steps counts updates, up from 1; null for no decay; got {decay_steps}")
        if decay_steps is None and (decay_start is not None or floor != 0):
            raise ValueError(f"{KEY}: decay_start {decay_start} and floor {floor} need decay_steps, got none")
        if decay_start is not None and decay_start < warmup:
            raise ValueError(f"{KEY}.decay_start must not be before the warm-up's end, {warmup}, got {decay_start}")
        highest = min(float(group["lr"]) for group in optimizer.param_groups)
        if not 0 <= floor <= highest:
            raise ValueError(f"{KEY}.floor must be from 0 to the optimizer's own lr, {highest}, got {floor}")
        self.warmup = warmup
        self.decay_start = warmup if decay_start is None else decay_start
        self.decay_steps = decay_steps
        self.floor = floor
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        if self.last_epoch < self.warmup:
            return [float(rate) * (self.last_epoch + 1) / self.warmup for rate in self.base_lrs]
        if self.decay_steps is None or self.last_epoch < self.decay_start:
            return [float(rate) for rate in self.base_lrs]
        fallen = min(1.0, (self.last_epoch - self.decay_start) / self.decay_steps)
        height = (1 + math.cos(math.pi * fallen)) / 2
        return [self.floor + (float(rate) - self.floor) * height for rate in self.base_lrs]


class LatePlateau(ReduceLROnPlateau):
    """The optimizer's own rate, then lower wherever validations in a row have not improved, but not at first.

    While a KL is annealed the bound may well rise: what does not improve is counted from the beginning, and acted on
    after the first ``first`` validations alone. After each fall the validation at hand is the one to improve on.

    Args:
        optimizer: Its rate is the highest.
        monitor: What is to fall, as it is logged.
        factor: What the rate is multiplied by.
        patience: Validations in a row that have not improved, at the last of which the rate falls.
        first: Validations after which it may.

    Raises:
        ValueError: If a number is out of range.

    Source:
        The published protocol of text VAEs: He et al., 2019, https://arxiv.org/abs/1901.05534, ``patience`` 2; Li et
        al., 2019, https://arxiv.org/abs/1909.00868, ``patience`` 5. There the best weights so far are loaded again
        where the rate falls, and the run is over at its fifth fall.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        monitor: str = "val/nelbo",
        factor: float = 0.5,
        patience: int = 2,
        first: int = 15,
    ) -> None:
        if not (0 < factor < 1 and patience >= 1 and first >= 0):
            raise ValueError(
                f"of {KEY}, factor is between 0 and 1, patience counts up from 1 and first from 0, "
                f"got {factor}, {patience} and {first}"
            )
        super().__init__(optimizer, monitor, factor=factor, threshold=0.0)
        self.validations = patience
        self.first = first

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        self.patience = self.validations - 1 if self.last_epoch >= self.first else sys.maxsize
        super().step(metrics, epoch)
        if self.num_bad_epochs == 0:
            self.best = float(metrics)
