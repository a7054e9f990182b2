"""What the bound weighs, and what it weighs it by."""

import pytest
import torch

from lit_vae.distributions import Gaussian
from lit_vae.latents import Latent, Layer
from lit_vae.objectives import ELBO

LOG_PROB, COUNTS = torch.tensor([-8.0, -4.0]), torch.tensor([2, 6])


def layer(*kls, requires_grad=False):
    """A layer of one number whose KL is given for each example: half the square of the posterior's mean."""
    loc = (2 * torch.tensor(kls)).sqrt().unsqueeze(1).requires_grad_(requires_grad)
    zeros = torch.zeros_like(loc)
    return Latent(Layer(0, "z", (1,)), loc, Gaussian(zeros, zeros), Gaussian(loc, zeros))


LATENTS = [layer(1.0, 3.0), layer(0.5, 0.1)]
KL = 4.6


@pytest.mark.parametrize(("per", "total"), [("symbol", 8), ("example", 2)])
def test_the_loss_is_the_bound_per_symbol_or_per_example(per, total):
    terms = ELBO(per=per)(LOG_PROB, LATENTS, COUNTS, step=0)

    assert terms.loss.item() == pytest.approx((12 + KL) / total)
    assert terms.loss.item() == pytest.approx(terms.nelbo.sum().item() / total)


def test_warm_up_rises_in_a_line_and_ends_at_the_full_bound():
    objective = ELBO(per="symbol", warmup=9)

    losses = [objective(LOG_PROB, LATENTS, COUNTS, step).loss.item() for step in (0, 4, 9, 10_000)]

    assert losses == pytest.approx([(12 + weight * KL) / 8 for weight in (0.1, 0.5, 1.0, 1.0)])


def test_the_kl_weight_multiplies_the_warmth():
    loss = ELBO(per="symbol", kl_weight=3.0, warmup=9)(LOG_PROB, LATENTS, COUNTS, step=4).loss

    assert loss.item() == pytest.approx((12 + 1.5 * KL) / 8)


def test_free_nats_are_per_layer_and_of_the_batch_mean():
    latents = [layer(1.0, 3.0, requires_grad=True), layer(0.9, 0.1, requires_grad=True)]

    terms = ELBO(per="symbol", free_nats=0.7)(LOG_PROB, latents, COUNTS, step=0)
    terms.loss.backward()

    assert terms.loss.item() == pytest.approx((12 + 2 * (2.0 + 0.7)) / 8)
    assert (latents[0].z.grad > 0).all()
    assert (latents[1].z.grad == 0).all()


def test_an_example_counts_by_its_symbols_alone():
    """Two batches of unequal texts, weighted by their symbols, are one batch."""
    log_prob, counts, kls = torch.tensor([-8.0, -4.0, -2.0]), torch.tensor([2, 6, 4]), [1.0, 3.0, 2.0]
    parts = [slice(0, 1), slice(1, 3)]

    objective = ELBO(per="symbol")
    whole = objective(log_prob, [layer(*kls)], counts, 0).loss
    halves = [objective(log_prob[part], [layer(*kls[part])], counts[part], 0).loss for part in parts]

    assert whole.item() == pytest.approx((2 * halves[0] + 10 * halves[1]).item() / 12)


@pytest.mark.parametrize("wrong", [{"kl_weight": -1.0}, {"warmup": -1}, {"free_nats": -0.1}])
def test_negative_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=r"model\.objective\.init_args count up from 0"):
        ELBO(per="symbol", **wrong)


def test_what_the_loss_is_divided_by_must_be_said():
    with pytest.raises(ValueError, match=r"model\.objective\.init_args\.per is 'symbol' or 'example', got 'pixel'"):
        ELBO(per="pixel")
    with pytest.raises(TypeError, match="per"):
        ELBO()
