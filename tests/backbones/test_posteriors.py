import math

import pytest
import torch
from jsonargparse import ArgumentParser

from lit_vae.backbones import BatchNormPosterior, ConvVAE, DeltaPosterior, GaussianPosterior
from lit_vae.backbones.posteriors import variance_bounds
from lit_vae.distributions import Gaussian

LAYERS = [GaussianPosterior, BatchNormPosterior, DeltaPosterior]
STANDARD = Gaussian(torch.zeros(()), torch.zeros(()))


def kls(posterior):
    """KL of each element to the standard normal, nats."""
    return torch.distributions.kl_divergence(posterior, STANDARD)


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_bound_and_gradient_are_finite_however_far_the_features(make, scale):
    torch.manual_seed(0)
    layer = make(5, 3)

    kls(layer(torch.randn(8, 5) * scale)).sum().backward()

    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in layer.parameters())


@pytest.mark.parametrize("make", LAYERS)
@torch.no_grad()
def test_a_posterior_starts_within_a_nat_a_dimension_of_the_prior(make):
    torch.manual_seed(0)

    posterior = make(64, 16)(torch.randn(32, 64))

    assert posterior.loc.shape == (32, 16)
    assert kls(posterior).mean() < 1.0


@pytest.mark.parametrize("gamma", [0.3, 0.7])
@pytest.mark.parametrize("spread", [1e-2, 1.0, 100.0])
@torch.no_grad()
def test_a_fixed_spread_of_the_means_keeps_the_rate_of_a_batch_above_its_floor(gamma, spread):
    torch.manual_seed(0)
    layer = BatchNormPosterior(6, 32, gamma=gamma)

    posterior = layer(5 + spread * torch.randn(16, 6))

    torch.testing.assert_close(posterior.loc.std(0, correction=0), torch.full((32,), gamma), rtol=2e-3, atol=0)
    assert kls(posterior).sum(1).mean() >= 32 * gamma**2 / 2 * (1 - 4e-3)


@torch.no_grad()
def test_positions_that_do_not_exist_have_no_part_in_the_spread_of_the_means():
    layer, features = BatchNormPosterior(6, 3), torch.randn(4, 5, 6)
    mask = torch.arange(5) < torch.tensor([[5], [2], [1], [3]])
    louder = torch.where(mask.unsqueeze(-1), features, 100.0)

    quiet, loud, rows = layer(features, mask).loc, layer(louder, mask).loc, layer(features[mask]).loc

    assert torch.equal(quiet[mask], loud[mask])
    torch.testing.assert_close(quiet[mask], rows)


@torch.no_grad()
def test_the_centre_of_the_means_is_learned_and_their_spread_is_not():
    layer = BatchNormPosterior(6, 3)
    layer.centre.copy_(torch.tensor([1.0, -2.0, 0.5]))

    means = layer(torch.randn(16, 6)).loc

    torch.testing.assert_close(means.mean(0), layer.centre)
    assert {name for name, _ in layer.named_parameters()} == {"project.weight", "project.bias", "centre"}


@pytest.mark.parametrize("spread", [1e-3, 1.0, 100.0])
@torch.no_grad()
def test_after_one_step_an_evaluation_of_the_batch_has_the_kl_of_training(spread):
    torch.manual_seed(0)
    layer, x = BatchNormPosterior(6, 32), 5 + spread * torch.randn(64, 6)
    trained = layer(x)

    evaluated = layer.eval()(x)

    # training divides by the batch's own variance, an evaluation by the unbiased estimate of all data's
    torch.testing.assert_close(evaluated.loc, trained.loc * math.sqrt(63 / 64), rtol=1e-3, atol=1e-4)
    assert kls(evaluated).sum(1).mean().item() == pytest.approx(kls(trained).sum(1).mean().item(), rel=0.02)


@torch.no_grad()
def test_an_evaluation_averages_the_first_batches_and_then_forgets_the_oldest():
    torch.manual_seed(0)
    layer = BatchNormPosterior(6, 3, momentum=0.25)
    batches = [5 * (1 + number) * torch.randn(8, 6) for number in range(9)]
    means = [layer.project(batch)[:, :3].mean(0) for batch in batches]
    variances = [layer.project(batch)[:, :3].var(0) for batch in batches]

    for number, batch in enumerate(batches):
        layer(batch)
        if number < 4:
            mean, variance = sum(means[: number + 1]) / (number + 1), sum(variances[: number + 1]) / (number + 1)
        else:
            mean, variance = 0.75 * mean + 0.25 * means[number], 0.75 * variance + 0.25 * variances[number]
        torch.testing.assert_close(layer.norm.running_mean, mean)
        torch.testing.assert_close(layer.norm.running_var, variance)


@torch.no_grad()
def test_running_statistics_of_torchs_batch_norm_are_read():
    torch.manual_seed(0)
    layer, norm, x = (
        BatchNormPosterior(6, 3).eval(),
        torch.nn.BatchNorm1d(3, eps=1e-10, affine=False),
        torch.randn(8, 6),
    )
    for _ in range(3):
        norm(torch.randn(8, 3))

    layer.norm.load_state_dict(norm.state_dict())

    expected = layer.gamma * norm.eval()(layer.project(x)[:, :3])
    torch.testing.assert_close(layer(x).loc, expected)


@torch.no_grad()
def test_an_evaluation_divides_by_running_statistics_that_a_checkpoint_holds():
    torch.manual_seed(0)
    layer, fresh, x = BatchNormPosterior(6, 3, momentum=1.0), BatchNormPosterior(6, 3), torch.randn(64, 6)
    trained = layer(x).loc

    fresh.load_state_dict(layer.state_dict())
    alone = torch.cat([fresh.eval()(row).loc for row in x.split(1)])

    torch.testing.assert_close(alone, trained, rtol=0.02, atol=0.02)


def test_a_batch_of_one_is_refused_in_training_and_taken_in_evaluation():
    layer = BatchNormPosterior(6, 3)

    with pytest.raises(ValueError, match=r"single example.*data\.init_args\.batch_size"):
        layer(torch.zeros(1, 6))

    assert layer.eval()(torch.zeros(1, 6)).loc.shape == (1, 3)


@pytest.mark.parametrize("delta", [1e-3, 0.1, 2.0])
@torch.no_grad()
def test_every_dimension_of_every_example_costs_its_committed_rate(delta):
    torch.manual_seed(0)

    for scale in (0.1, 10.0, 1e4):
        posterior = DeltaPosterior(6, 4, delta=delta)(scale * torch.randn(50, 6))

        assert (kls(posterior) >= delta - 1e-5).all()
        assert kls(posterior).min() < delta + 1e-3


@pytest.mark.parametrize("delta", [1e-4, 0.1, 0.15, 5.0])
def test_at_either_bound_of_the_variance_a_mean_of_nought_costs_the_rate(delta):
    low, high = variance_bounds(delta)

    assert low < 1 < high
    for variance in (low, high):
        assert 0.5 * (variance - 1 - math.log(variance)) == pytest.approx(delta, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (BatchNormPosterior, {"gamma": 0.0}),
        (BatchNormPosterior, {"momentum": 0.0}),
        (DeltaPosterior, {"delta": 0.0}),
    ],
)
def test_a_number_out_of_range_names_its_key(make, wrong):
    with pytest.raises(ValueError, match=r"model\.backbone\.init_args\.posterior\.init_args"):
        make(4, 2, **wrong)


def test_a_config_names_the_class_and_the_backbone_fills_the_sizes():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(ConvVAE, "backbone")
    posterior = {"class_path": "lit_vae.backbones.BatchNormPosterior", "init_args": {"gamma": 0.7}}

    given = parser.parse_object({"backbone": {"embed_width": 1, "shape": [4, 4], "posterior": posterior}})
    backbone = parser.instantiate(given).backbone

    assert isinstance(backbone.posterior, BatchNormPosterior)
    assert (backbone.posterior.gamma, backbone.posterior.latent) == (0.7, 32)
