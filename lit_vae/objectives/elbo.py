"""The evidence lower bound and the ways it is softened early in training."""

from typing import Literal

from torch import Tensor

from lit_vae.latents import Latent
from lit_vae.objectives.base import Objective, Terms, stack_kls


class ELBO(Objective):
    """Negative evidence lower bound, its KL weighted in over the first steps.

    loss = (kl_weight * warmth * sum_l max(mean_b KL_lb, free_nats) * B - sum_b log p(x_b | z_b)) / N

    where N is the number of observed symbols of the batch, or of its examples.

    Args:
        per: What the loss is divided by: ``symbol`` keeps one learning rate fit for any picture size or text length,
            ``example`` is the papers' convention. The bound that is reported is the same.
        kl_weight: Beta. 1 is the bound itself; the true bound is reported whatever it is.
        warmup: Optimizer steps until the KL counts in full; 0 for from the start.
        free_nats: Batch mean below which a layer's KL earns no gradient, nats per layer.

    Raises:
        ValueError: If a number is negative or ``per`` is neither of the two.

    Source:
        Bound: Kingma & Welling, 2014, https://arxiv.org/abs/1312.6114.
        Beta: Higgins et al., 2017, https://openreview.net/forum?id=Sy2fzU9gl.
        Warm-up: Bowman et al., 2016, https://arxiv.org/abs/1511.06349.
        Free bits: Kingma et al., 2016, https://arxiv.org/abs/1606.04934; here in nats.
    """

    def __init__(
        self,
        per: Literal["symbol", "example"],
        kl_weight: float = 1.0,
        warmup: int = 0,
        free_nats: float = 0.0,
    ) -> None:
        super().__init__()
        if per not in ("symbol", "example"):
            raise ValueError(f"model.objective.init_args.per is 'symbol' or 'example', got {per!r}")
        if kl_weight < 0 or warmup < 0 or free_nats < 0:
            raise ValueError(
                f"kl_weight, warmup and free_nats of model.objective.init_args count up from 0, "
                f"got {kl_weight}, {warmup} and {free_nats}"
            )
        self.per = per
        self.kl_weight = kl_weight
        self.warmup = warmup
        self.free_nats = free_nats

    def forward(self, log_prob: Tensor, latents: list[Latent], counts: Tensor, step: int) -> Terms:
        kls = stack_kls(log_prob, latents)
        warmth = min(1.0, (step + 1) / (self.warmup + 1))
        kl = kls.mean(1).clamp(min=self.free_nats).sum() * len(counts)
        total = counts.sum() if self.per == "symbol" else len(counts)
        return Terms((self.kl_weight * warmth * kl - log_prob.sum()) / total, -log_prob, kls)
