"""The weight of the KL as a controller sets it, so that the KL comes to a target."""

import torch
from torch import Tensor

from lit_vae.objectives.schedules import KEY, KLSchedule
from lit_vae.processes import summed


class TargetKL(KLSchedule):
    """A proportional-integral controller: the weight rises while the KL is above its target and falls while below.

    With e = nats - KL, of the batch mean at the optimizer step before:
    weight = clip(least + proportional / (1 + exp(e)) - integral * sum of e, least, most)

    It moves once per optimizer step, by the mean over all examples of the step before, those of all processes and of
    all batches that were accumulated; in ``eval()`` it stays. Its state is in buffers, which a checkpoint keeps.
    The first step has the weight ``least``.

    Args:
        nats: The target, KL of all layers, nats per example.
        proportional: K_p. What the weight gains at once.
        integral: K_i. What it gains at each step for each nat that the KL is off.
        least: Least weight.
        most: Greatest weight.

    Raises:
        ValueError: If a number is negative or ``least`` is above ``most``.

    Source:
        Shao et al., 2020, ControlVAE, https://arxiv.org/abs/2004.05988. Against windup the paper holds the sum
        while the weight is out of bounds; here the sum goes as far as takes the weight to its bound, and from there the
        weight comes back at once.
    """

    weight: Tensor
    integrated: Tensor
    total: Tensor
    examples: Tensor
    observed_step: Tensor

    def __init__(
        self,
        nats: float,
        proportional: float = 0.01,
        integral: float = 1e-4,
        least: float = 0.0,
        most: float = 1.0,
    ) -> None:
        super().__init__()
        if not (min(nats, proportional, integral, least) >= 0 and most >= least):
            raise ValueError(
                f"of {KEY}.init_args, nats, proportional, integral and least count up from 0, and most from least, "
                f"got {nats}, {proportional}, {integral}, {least} and {most}"
            )
        self.nats = nats
        self.proportional = proportional
        self.integral = integral
        self.least = least
        self.most = most
        self.register_buffer("weight", torch.tensor(least))
        self.register_buffer("integrated", torch.tensor(0.0))
        self.register_buffer("total", torch.tensor(0.0))
        self.register_buffer("examples", torch.tensor(0.0))
        self.register_buffer("observed_step", torch.tensor(-1))

    def forward(self, step: int, rate: Tensor) -> Tensor:
        if self.training:
            self._observe(step, rate)
        return self.weight.to(rate.dtype, copy=True)

    @torch.no_grad()
    def _observe(self, step: int, rate: Tensor) -> None:
        # No branch on a tensor's value: that would make the host wait for the device at each step.
        begins = self.observed_step != step
        error = self.nats - self.total / self.examples.clamp(min=1)
        weight, integrated = self._control(error)
        due = begins & (self.examples > 0)
        self.weight.copy_(torch.where(due, weight, self.weight))
        self.integrated.copy_(torch.where(due, integrated, self.integrated))

        nats, examples = summed(torch.stack([rate.sum(), rate.new_tensor(float(len(rate)))])).to(self.total.dtype)
        self.total.copy_(torch.where(begins, nats, self.total + nats))
        self.examples.copy_(torch.where(begins, examples, self.examples + examples))
        self.observed_step.fill_(step)

    def _control(self, error: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and integral after an error."""
        gain = self.least + self.proportional * torch.sigmoid(-error)
        integrated = self.integrated - self.integral * error
        weight = (gain + integrated).clamp(self.least, self.most)
        return weight, weight - gain
