"""The evidence lower bound and the ways it is softened in training."""

from typing import Literal

from torch import Tensor

from lit_vae.latents import Latent
from lit_vae.objectives.balance import KLBalance
from lit_vae.objectives.base import Objective, Terms, stack_kls
from lit_vae.objectives.free_bits import FreeBits
from lit_vae.objectives.schedules import Constant, KLSchedule


class ELBO(Objective):
    """Negative evidence lower bound, its KL softened where asked.

    loss = (kl_weight * sum_l balance_l * softened KL_l - sum_b log p(x_b | z_b)) / N

    where the KLs are sums over the batch, and N is the number of its observed symbols, or of its examples. With the
    defaults the loss is the bound; the bound that is reported is the true one whatever softens the loss.

    Args:
        per: What the loss is divided by: ``symbol`` keeps one learning rate fit for any picture size or text length,
            ``example`` is the papers' convention.
        kl_weight: Beta: a number, or a schedule over the steps (Linear, Logistic, Cyclical, TargetKL).
        free_bits: A floor under the KL, below which it costs nothing.
        balance: Weighs the layers against each other early in training (GammaBalance, SquareBalance).

    Raises:
        ValueError: If ``per`` is neither of the two or ``kl_weight`` is negative.

    Source:
        Kingma & Welling, 2014, https://arxiv.org/abs/1312.6114.
    """

    def __init__(
        self,
        per: Literal["symbol", "example"],
        kl_weight: float | KLSchedule = 1.0,
        free_bits: FreeBits | None = None,
        balance: KLBalance | None = None,
    ) -> None:
        super().__init__()
        if per not in ("symbol", "example"):
            raise ValueError(f"model.objective.init_args.per is 'symbol' or 'example', got {per!r}")
        self.per = per
        self.kl_weight = kl_weight if isinstance(kl_weight, KLSchedule) else Constant(kl_weight)
        self.free_bits = free_bits
        self.balance = balance

    def forward(self, log_prob: Tensor, latents: list[Latent], counts: Tensor, step: int) -> Terms:
        kls = stack_kls(log_prob, latents)
        weight = self.kl_weight(step, kls.detach().sum(0))
        softened = kls if self.free_bits is None else self.free_bits(latents, kls)
        if self.balance is not None and latents:
            layers = [latent.layer for latent in latents]
            softened = self.balance(kls.detach(), layers, weight, step).unsqueeze(1) * softened
        total = counts.sum() if self.per == "symbol" else len(counts)
        return Terms((weight * softened.sum() - log_prob.sum()) / total, -log_prob, kls, weight, total)
