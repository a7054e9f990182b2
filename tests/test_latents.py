"""What a latent layer keeps."""

import math

import pytest
import torch

from lit_vae.distributions import FlowedGaussian, Gaussian
from lit_vae.latents import Latent, Layer

LAYER = Layer(0, "z", (4, 3))


def test_nats_of_a_layer_are_sums_over_its_elements(prior, posterior, noise):
    latent = Latent(LAYER, posterior.push(noise), prior, posterior)

    torch.testing.assert_close(latent.kl, latent.kl_elements.sum((1, 2)))
    torch.testing.assert_close(latent.log_p, prior.log_prob(latent.z).sum((1, 2)))
    torch.testing.assert_close(latent.log_q, posterior.log_prob(latent.z).sum((1, 2)))
    torch.testing.assert_close(latent.log_weight, latent.log_p - latent.log_q)
    assert latent.kl.shape == (2,)


def test_the_mean_log_weight_is_minus_the_divergence(prior, posterior):
    draws = [Latent(LAYER, posterior.push(torch.randn(2, 4, 3)), prior, posterior) for _ in range(1000)]

    weights = torch.stack([latent.log_weight for latent in draws])

    error = weights.std(0) / math.sqrt(1000)
    assert ((weights.mean(0) + draws[0].kl).abs() < 4 * error).all()


def test_the_mean_weight_of_draws_near_the_prior_is_one(prior):
    posterior = Gaussian(prior.loc + 0.1, prior.log_scale + 0.05)
    noise = torch.randn(20_000, 2, 4, 3)
    z = posterior.push(noise)

    weights = (prior.log_prob(z) - posterior.log_prob(z)).sum((2, 3)).exp()

    one = Latent(LAYER, z[0], prior, posterior).log_weight.exp()
    torch.testing.assert_close(weights[0], one)
    assert ((weights.mean(0) - 1).abs() < 4 * weights.std(0) / math.sqrt(20_000)).all()


def test_without_a_closed_form_the_divergence_is_that_of_the_draw(prior, posterior, noise):
    flowed = FlowedGaussian(posterior, lambda z: z + 1)
    mask = torch.tensor([[True, True, False, False], [True, False, False, True]])
    z = flowed.push(noise)

    latent, masked = (Latent(LAYER, z, prior, flowed, given, noise) for given in (None, mask))

    torch.testing.assert_close(latent.kl, latent.log_q - latent.log_p)
    torch.testing.assert_close(latent.log_q, posterior.log_prob(z - 1).sum((1, 2)))
    torch.testing.assert_close(masked.kl, masked.log_q - masked.log_p)


def test_without_a_closed_form_the_divergence_is_that_of_a_draw_whatever_z_was_chosen(prior, posterior, noise):
    flowed = FlowedGaussian(posterior, lambda z: z + 1)

    drawn, chosen = (Latent(LAYER, z, prior, flowed, noise=noise) for z in (flowed.push(noise), flowed.mean))

    torch.testing.assert_close(chosen.kl, drawn.kl)
    torch.testing.assert_close(drawn.kl, drawn.log_q - drawn.log_p)


def test_without_a_closed_form_a_layer_that_did_not_keep_its_noise_has_no_divergence(prior, posterior, noise):
    flowed = FlowedGaussian(posterior, lambda z: z + 1)
    latent = Latent(LAYER, flowed.push(noise), prior, flowed)

    with pytest.raises(
        ValueError, match=r"layer z has no closed form and is taken at a draw.*Latent\(\.\.\., noise=noise\)"
    ):
        _ = latent.kl


def test_positions_that_do_not_exist_count_nothing(prior, posterior, noise):
    mask = torch.tensor([[True, True, False, False], [True, False, False, True]])
    latent = Latent(LAYER, posterior.push(noise), prior, posterior, mask)
    hidden = ~mask.unsqueeze(-1)
    z = latent.z.masked_fill(hidden, math.nan)
    strange = Gaussian(posterior.loc.masked_fill(hidden, math.nan), posterior.log_scale)

    masked = Latent(LAYER, z, prior, strange, mask)

    for name in ("kl", "log_p", "log_q", "log_weight"):
        assert torch.equal(getattr(masked, name), getattr(latent, name))
    torch.testing.assert_close(latent.kl[0], latent.kl_elements[0, :2].sum())


def test_a_layer_that_nothing_was_encoded_for_has_no_divergence(prior, noise):
    latent = Latent(LAYER, prior.push(noise), prior, None)

    assert latent.log_p.shape == (2,)
    for name in ("kl", "log_q", "log_weight"):
        with pytest.raises(ValueError, match="layer z was drawn from the prior alone"):
            getattr(latent, name)
