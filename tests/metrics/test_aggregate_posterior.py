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


def drawn(loc, log_scale, seed=0):
    """Posteriors and a draw of each, in single precision."""
    noise = torch.randn(loc.shape, generator=torch.Generator().manual_seed(seed))
    return torch.arange(len(loc)), Gaussian(loc, log_scale), loc + torch.as_tensor(log_scale).exp() * noise


def kl(posterior):
    """Mean KL of examples to the standard normal, nats."""
    standard = Gaussian(torch.zeros(()), torch.zeros(()))
    return torch.distributions.kl_divergence(posterior, standard).sum(1).mean().item()


@pytest.mark.parametrize(("examples", "units"), [(20, 32), (500, 32), (4, 128), (1, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_posteriors_that_are_all_the_same_know_nothing_whatever_is_drawn(examples, units, seed):
    values = found(*drawn(torch.full((examples, units), 0.3), torch.tensor(-1.0), seed))

    assert values["mutual_information"] == pytest.approx(0.0, abs=1e-9)
    assert values["mutual_information_std_error"] == pytest.approx(0.0, abs=1e-9)
    assert values["active_units"] == 0


@pytest.mark.parametrize("centre", [0.0, 1e4])
def test_posteriors_far_apart_know_which_example_it_was(centre):
    index, posterior, z = split(spread=100.0, log_scale=-3.0)

    values = found(index, Gaussian(posterior.loc + centre, posterior.log_scale), z + centre)

    assert values["mutual_information"] == pytest.approx(math.log(EXAMPLES), abs=1e-6)
    assert values["mutual_information_std_error"] == pytest.approx(0.0, abs=1e-6)
    assert values["active_units"] == values["units"] == 3
    assert values["examples"] == EXAMPLES


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_a_gaussian_channel_carries_what_its_formula_says(units, scale):
    # means of unit variance, quantiles in place of draws: their mixture is all but normal
    quantiles = torch.special.ndtri((torch.arange(40) + 0.5) / 40)
    loc = torch.cartesian_prod(*[quantiles / quantiles.std(correction=0)] * 2)[:, :units]

    values = found(*drawn(loc, torch.tensor(scale).log()))

    error = values["mutual_information_std_error"]
    assert 0 < error < 0.04
    assert values["mutual_information"] == pytest.approx(units * 0.5 * math.log(1 + 1 / scale**2), abs=3 * error)


@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("log_scale", [-3.0, 0.0, 0.7])
@pytest.mark.parametrize("units", [1, 40])
@pytest.mark.parametrize("examples", [4, 300])
def test_what_z_tells_is_at_least_nothing_and_at_most_its_kl_and_the_log_of_the_examples(
    spread, log_scale, units, examples
):
    loc = spread * torch.randn(examples, units, generator=torch.Generator().manual_seed(1))
    index, posterior, z = drawn(loc, torch.tensor(log_scale))

    values = found(index, posterior, z)

    room = 3 * values["mutual_information_std_error"] + 1e-6
    assert -room <= values["mutual_information"] <= kl(posterior) + room
    assert values["mutual_information"] <= math.log(examples) + 1e-6


def test_the_standard_error_is_how_far_estimates_scatter():
    estimates, errors = [], []
    for seed in range(200):
        loc = torch.randn(100, 2, generator=torch.Generator().manual_seed(1000 + seed))
        values = found(*drawn(loc, torch.tensor(0.0), seed))
        estimates.append(values["mutual_information"])
        errors.append(values["mutual_information_std_error"])

    # a deviation of 200 numbers is known to a twentieth
    assert torch.tensor(estimates).std().item() == pytest.approx(sum(errors) / len(errors), rel=0.2)


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

    index, posterior, z = split(spread=1.0, log_scale=-1.0)

    limited = found(index, posterior, z, parts=3)

    first = found(index[:50], Gaussian(posterior.loc[:50], posterior.log_scale[:50]), z[:50])
    assert limited["examples"] == 50
    assert limited == pytest.approx(first)


def test_an_evaluation_of_late_examples_alone_takes_the_first_of_them(monkeypatch):
    monkeypatch.setattr("lit_vae.metrics.aggregate_posterior.MOST_EXAMPLES", 50)
    index, posterior, z = split(0.5, -1.0)
    late = index.flip(0)[:120]  # 199 down to 80: the first fifty are 80 to 129

    metric = AggregatePosterior()
    for some in late.chunk(7):
        metric.update(some, Gaussian(posterior.loc[some], posterior.log_scale[some]), z[some])
    few = AggregatePosterior()
    few.update(index[80:130], Gaussian(posterior.loc[80:130], posterior.log_scale[80:130]), z[80:130])

    assert metric.compute() == few.compute()
    assert metric.compute()["examples"] == 50
