"""How the draws choose."""

import math

import pytest
import torch

from lit_vae.distributions import Gaussian
from lit_vae.draws import FromPrior, from_posterior, posterior_mean
from lit_vae.latents import Layer

LAYER = Layer(0, "z", (4, 3))


def gaussian(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return Gaussian(*(torch.randn(shape, generator=generator) for _ in range(2)))


@pytest.fixture
def prior():
    return gaussian(1, 2, 4, 3)


@pytest.fixture
def posterior():
    return gaussian(2, 2, 4, 3)


@pytest.fixture
def noise():
    return torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(3))


def test_training_draws_from_the_posterior_and_reconstruction_takes_its_mean(prior, posterior, noise):
    assert torch.equal(from_posterior(prior, posterior, noise, LAYER), posterior.push(noise))
    assert torch.equal(posterior_mean(prior, posterior, noise, LAYER), posterior.mean)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_generation_draws_from_the_prior_at_a_temperature(prior, noise, temperature):
    z = FromPrior(temperature)(prior, None, noise, LAYER)

    torch.testing.assert_close(z, prior.mean + temperature * prior.scale * noise)


@pytest.mark.parametrize("temperature", [-0.1, math.nan])
def test_a_temperature_below_nought_is_refused_with_its_flag(temperature):
    with pytest.raises(ValueError, match="--temperature"):
        FromPrior(temperature)
