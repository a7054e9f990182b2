"""What the bound weighs, and what it weighs it by."""

import pytest
import torch
from objectives.latents import layer

from lit_vae.objectives import ELBO, FreeBits, Linear, SquareBalance

LOG_PROB, COUNTS = torch.tensor([-8.0, -4.0]), torch.tensor([2, 6])
LATENTS = [layer(1.0, 3.0), layer(0.5, 0.1)]
KL = 4.6


@pytest.mark.parametrize(("per", "total"), [("symbol", 8), ("example", 2)])
def test_with_everything_off_the_loss_is_the_bound_per_symbol_or_per_example(per, total):
    terms = ELBO(per=per)(LOG_PROB, LATENTS, COUNTS, step=0)

    assert terms.loss.item() == pytest.approx((12 + KL) / total)
    assert terms.loss.item() == pytest.approx(terms.nelbo.sum().item() / total)
    assert terms.kl_weight == 1
    assert terms.total == total


def test_the_kl_weight_is_a_number_or_follows_a_schedule():
    beta, rising = ELBO("symbol", 3.0), ELBO("symbol", Linear(10))

    terms = [beta(LOG_PROB, LATENTS, COUNTS, step=4), rising(LOG_PROB, LATENTS, COUNTS, step=4)]

    assert [term.loss.item() for term in terms] == pytest.approx([(12 + 3.0 * KL) / 8, (12 + 0.4 * KL) / 8])
    assert [term.kl_weight.item() for term in terms] == pytest.approx([3.0, 0.4])


def test_weight_balance_and_floor_compose():
    kls = torch.tensor([[1.0, 3.0], [0.5, 0.1]])
    balance = torch.tensor([2.0 + 0.01, 0.3 + 0.01])
    balance /= balance.mean()

    loss = ELBO("symbol", 0.5, FreeBits(0.7), SquareBalance())(LOG_PROB, LATENTS, COUNTS, step=0).loss

    softened = (balance * torch.tensor([kls[0].sum(), 2 * 0.7])).sum()
    assert loss.item() == pytest.approx((12 + 0.5 * softened.item()) / 8)


def test_an_example_counts_by_its_symbols_alone():
    """Two batches of unequal texts, weighted by their symbols, are one batch."""
    log_prob, counts, kls = torch.tensor([-8.0, -4.0, -2.0]), torch.tensor([2, 6, 4]), [1.0, 3.0, 2.0]
    parts = [slice(0, 1), slice(1, 3)]

    objective = ELBO(per="symbol")
    whole = objective(log_prob, [layer(*kls)], counts, 0).loss
    halves = [objective(log_prob[part], [layer(*kls[part])], counts[part], 0).loss for part in parts]

    assert whole.item() == pytest.approx((2 * halves[0] + 10 * halves[1]).item() / 12)


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"model\.objective\.init_args\.kl_weight must be >= 0, got -1\.0"):
        ELBO("symbol", -1.0)


def test_what_the_loss_is_divided_by_must_be_said():
    with pytest.raises(ValueError, match=r"model\.objective\.init_args\.per is 'symbol' or 'example', got 'pixel'"):
        ELBO(per="pixel")
    with pytest.raises(TypeError, match="per"):
        ELBO()
