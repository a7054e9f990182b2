"""What the normal of priors and posteriors promises."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lit_vae.distributions import Gaussian


def random(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    loc, log_scale = (torch.randn(shape, generator=generator).to(dtype) for _ in range(2))
    return Gaussian(loc, log_scale)


def as_torch(gaussian):
    return Normal(gaussian.loc, gaussian.log_scale.exp(), validate_args=False)


def test_density_and_divergence_are_those_of_torch():
    one, other, z = random(4, 3), random(4, 3, seed=1), torch.randn(4, 3, dtype=torch.float64)

    torch.testing.assert_close(one.log_prob(z), as_torch(one).log_prob(z))
    torch.testing.assert_close(kl_divergence(one, other), kl_divergence(as_torch(one), as_torch(other)))
    torch.testing.assert_close(one.variance, as_torch(one).variance)


def test_divergence_of_a_known_pair():
    posterior, prior = (
        Gaussian(torch.tensor([loc], dtype=torch.float64), torch.tensor([log_scale], dtype=torch.float64))
        for loc, log_scale in ((0.3, -1.0), (-0.2, 0.5))
    )

    by_hand = 0.5 - -1.0 + (math.exp(-2.0) + (0.3 - -0.2) ** 2) / (2 * math.exp(1.0)) - 0.5
    assert kl_divergence(posterior, prior).item() == pytest.approx(by_hand, rel=1e-12)


def test_divergence_is_the_mean_log_ratio_of_draws():
    one, other = random(5), random(5, seed=1)

    z = one.rsample((200_000,))

    ratios = one.log_prob(z) - other.log_prob(z)
    error = ratios.std(0) / math.sqrt(len(z))
    assert ((ratios.mean(0) - kl_divergence(one, other)).abs() < 4 * error).all()


def test_divergence_from_itself_is_nought_however_near():
    posterior = Gaussian(torch.zeros(1), torch.tensor([1e-4]))

    near = kl_divergence(posterior, Gaussian(torch.zeros(1), torch.zeros(1)))

    assert kl_divergence(posterior, posterior).item() == 0
    assert near.item() == pytest.approx(1e-8, rel=1e-2)


def test_pushed_noise_has_the_mean_and_the_scale():
    gaussian = random(3)

    z = gaussian.push(torch.tensor([[0.0], [1.0]], dtype=torch.float64))

    torch.testing.assert_close(z[0], gaussian.mean)
    torch.testing.assert_close(z[1] - z[0], gaussian.scale)


def test_gradients_flow_through_a_push():
    loc, log_scale = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)

    Gaussian(loc, log_scale).push(torch.tensor([1.0, -2.0, 3.0])).sum().backward()

    assert loc.grad.tolist() == [1, 1, 1]
    assert log_scale.grad.tolist() == [1, -2, 3]


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 2.0])
def test_a_temperature_multiplies_the_standard_deviation(temperature):
    gaussian, noise = random(4), torch.randn(4, dtype=torch.float64)

    tempered = gaussian.tempered(temperature)

    torch.testing.assert_close(tempered.scale, temperature * gaussian.scale)
    torch.testing.assert_close(tempered.push(noise), gaussian.mean + temperature * gaussian.scale * noise)


def test_half_precision_becomes_single_and_double_stays():
    half, double = random(3, dtype=torch.bfloat16), random(3)

    with torch.autocast("cpu", torch.bfloat16):
        kl = kl_divergence(half, random(3, dtype=torch.bfloat16, seed=1))

    assert half.mean.dtype == half.log_prob(torch.zeros(3)).dtype == kl.dtype == torch.float32
    assert double.log_prob(torch.zeros(3)).dtype == torch.float64


def test_one_scale_serves_all_elements():
    gaussian = Gaussian(torch.zeros(2, 3), torch.tensor(-1.0))

    assert gaussian.batch_shape == (2, 3)
    torch.testing.assert_close(gaussian.scale, torch.full((2, 3), math.exp(-1)))
