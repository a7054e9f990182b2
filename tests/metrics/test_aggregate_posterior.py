"""Mutual information and active units of a split."""

import math

import pytest
import torch

from lit_vae.distributions import Gaussian
from lit_vae.metrics import AggregatePosterior
from lit_vae.metrics.aggregate_posterior import log_aggregate

EXAMPLES = 200


def split(spread, log_scale, units=3):
    """Posteriors whose means are spread by so much, and a draw of each."""
    generator = torch.Generator().manual_seed(0)
    loc = spread * torch.randn(EXAMPLES, units, generator=generator)
    noise = torch.randn(EXAMPLES, units, generator=generator)
    scale = torch.full_like(loc, log_scale)
    return torch.arange(EXAMPLES), Gaussian(loc, scale), loc + scale.exp() * noise


def found(index, posterior, z, parts=1):
    metric = AggregatePosterior()
    for examples in index.chunk(parts):
        some = Gaussian(posterior.loc[examples], posterior.log_scale[examples])
        metric.update(index[examples], some, z[examples])
    return {name: value.item() for name, value in metric.compute().items()}


def test_posteriors_that_are_all_the_same_know_nothing():
    values = found(*split(spread=0.0, log_scale=-1.0))

    assert values["mutual_information"] == pytest.approx(0.0, abs=0.15)
    assert values["active_units"] == 0


def test_posteriors_far_apart_know_which_example_it_was():
    values = found(*split(spread=100.0, log_scale=-3.0))

    # the negative entropy is exact, log q(z) at one draw an example: its noise remains
    assert values["mutual_information"] == pytest.approx(math.log(EXAMPLES), abs=0.2)
    assert values["active_units"] == values["units"] == 3
    assert values["examples"] == EXAMPLES


def test_a_gaussian_channel_carries_what_its_formula_says():
    values = found(*split(spread=1.0, log_scale=math.log(0.5), units=1))

    assert values["mutual_information"] == pytest.approx(0.5 * math.log(1 + 1 / 0.25), abs=0.15)


def test_the_aggregate_is_the_mean_of_all_densities():
    _, posterior, z = split(spread=1.0, log_scale=-0.5)
    loc, log_scale = posterior.loc.double(), posterior.log_scale.double()
    normal = torch.distributions.Normal(loc, log_scale.exp())
    densities = normal.log_prob(z.double().unsqueeze(1)).sum(-1)

    expected = densities.logsumexp(1) - math.log(EXAMPLES)

    torch.testing.assert_close(log_aggregate(z.double(), loc, log_scale, rows=7), expected)


def test_a_unit_is_active_from_a_variance_of_one_hundredth():
    loc = torch.tensor([[0.0, 0.0], [0.15, 0.13]])  # unbiased variances 0.01125 and 0.00845
    posterior = Gaussian(loc, torch.zeros(2, 2))

    assert found(torch.arange(2), posterior, loc)["active_units"] == 1


def test_batches_and_their_order_do_not_matter():
    index, posterior, z = split(spread=1.0, log_scale=-1.0)
    backwards = index.flip(0)

    again = found(*(torch.arange(EXAMPLES), posterior, z), parts=7)
    metric = AggregatePosterior()
    metric.update(backwards, Gaussian(posterior.loc[backwards], posterior.log_scale[backwards]), z[backwards])

    assert again == pytest.approx(found(index, posterior, z))
    assert {name: value.item() for name, value in metric.compute().items()} == pytest.approx(again)


def test_examples_beyond_the_limit_are_left_out(monkeypatch):
    monkeypatch.setattr("lit_vae.metrics.aggregate_posterior.MOST_EXAMPLES", 50)

    assert found(*split(spread=1.0, log_scale=-1.0))["examples"] == 50
