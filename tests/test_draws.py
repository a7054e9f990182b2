"""How the draws choose."""

import math

import pytest
import torch

from lit_vae.distributions import Gaussian
from lit_vae.draws import (
    FromPrior,
    Given,
    GivenNoise,
    Masked,
    TopLayers,
    check_temperature,
    from_posterior,
    most_informative,
    posterior_mean,
    temperature_of,
)
from lit_vae.latents import Layer

LAYER = Layer(0, "z", (4, 3))


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


LAYERS = [Layer(0, "1x1.0", (1, 1, 2)), Layer(1, "4x4.0", (4, 4, 2)), Layer(2, "4x4.1", (4, 4, 2))]


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (0.5, [0.5, 0.5, 0.5]),
        ({"4x4": 0.8}, [1.0, 0.8, 0.8]),
        ({"4x4": 0.8, "4x4.1": 0.2, "others": 0.5}, [0.5, 0.8, 0.2]),
    ],
)
def test_a_temperature_is_one_number_or_one_for_each_layer_or_resolution_that_is_named(temperature, expected):
    check_temperature(temperature, LAYERS)

    assert [temperature_of(layer, temperature) for layer in LAYERS] == expected


def test_a_temperature_of_a_resolution_is_that_of_the_draws_there(prior, noise):
    draw = FromPrior({"4x4": 0.0})

    assert torch.equal(draw(prior, None, noise, LAYERS[1]), prior.mean)
    assert torch.equal(draw(prior, None, noise, LAYERS[0]), prior.push(noise))


def test_a_temperature_of_no_layer_is_refused_with_near_misses():
    with pytest.raises(ValueError, match=r"--temperature names '4x5'.*1x1, 4x4; near misses: 4x4"):
        check_temperature({"4x5": 0.8}, LAYERS)
    with pytest.raises(ValueError, match="counts up from 0, got -1: change --temperature"):
        FromPrior({"4x4": -1})


def test_the_top_layers_are_drawn_one_way_and_the_rest_another(prior, posterior, noise):
    draw = TopLayers(2, posterior_mean, FromPrior(0.5))

    z = [draw(prior, posterior, noise, layer) for layer in LAYERS]

    assert torch.equal(z[0], posterior.mean)
    assert torch.equal(z[1], posterior.mean)
    assert torch.equal(z[2], FromPrior(0.5)(prior, None, noise, LAYERS[2]))


def test_variables_under_a_mask_are_drawn_one_way_and_others_another(prior, posterior, noise):
    mask = torch.tensor([True, False, True])

    z = Masked([mask], from_posterior, FromPrior(0.0))(prior, posterior, noise, LAYER)

    assert torch.equal(z[..., mask], posterior.push(noise)[..., mask])
    assert torch.equal(z[..., ~mask], prior.mean[..., ~mask])


def test_z_can_be_given_as_it_was_or_relative_to_its_prior(prior, posterior, noise):
    z = posterior.push(noise)

    assert torch.equal(Given([z])(prior, None, noise, LAYER), z)
    assert torch.equal(GivenNoise([noise])(prior, None, torch.zeros_like(noise), LAYER), prior.push(noise))
    assert Given([z])(Gaussian(prior.loc.double(), prior.log_scale), None, noise, LAYER).dtype == torch.float64


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (0.2, [[False, False], [True, False, False]]),
        (0.21, [[False, True], [True, False, False]]),
        (0.6, [[False, True], [True, True, False]]),
        (1.0, [[True, True], [True, True, True]]),
    ],
)
def test_the_most_informative_variables_of_all_layers_are_kept(part, expected):
    information = [torch.tensor([0.1, 0.7]), torch.tensor([0.9, 0.5, 0.0])]

    assert [mask.tolist() for mask in most_informative(information, part)] == expected


@pytest.mark.parametrize("part", [0.0, 1.1, 3.0, math.nan])
def test_a_part_that_is_none_is_refused_with_its_flag(part):
    with pytest.raises(ValueError, match=r"--keep is the part.*above 0 and at most 1"):
        most_informative([torch.ones(3)], part)
