"""The aggregate posterior against the prior."""

import pytest
import torch

from lit_vae.distributions import Gaussian
from lit_vae.latents import Latent, Layer
from lit_vae.regularizers import MMD
from lit_vae.regularizers.mmd import KERNELS, discrepancy, relative

both_kernels = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS.keys())


def normals(count, numbers, seed):
    return torch.randn(count, numbers, generator=torch.Generator().manual_seed(seed))


@both_kernels
def test_two_samples_of_one_distribution_differ_by_nothing_in_the_mean(kernel):
    estimates = torch.stack(
        [discrepancy(normals(8, 2, seed), normals(8, 2, 900 + seed), kernel) for seed in range(300)]
    )

    assert estimates.mean().abs() < 4 * estimates.std() / 300**0.5
    assert (estimates < 0).any()


@both_kernels
def test_the_discrepancy_grows_with_the_distance(kernel):
    near, far = (discrepancy(normals(200, 2, 0) + shift, normals(200, 2, 1), kernel) for shift in (0.5, 2.0))

    assert 0.005 < near < far


@both_kernels
def test_it_pulls_the_examples_towards_the_prior(kernel):
    x = (0.1 * normals(32, 2, 0)).requires_grad_()

    (grad,) = torch.autograd.grad(discrepancy(x, normals(32, 2, 1), kernel), x)
    after = discrepancy(x - 5 * grad, normals(32, 2, 1), kernel)

    assert after < discrepancy(x, normals(32, 2, 1), kernel)


def test_the_estimate_is_that_of_a_plain_loop():
    x, y = normals(4, 3, 0), normals(4, 3, 1)

    def kernel(a, b):
        return torch.exp(-(a - b).square().sum() / 6).item()

    pairs = [(i, j) for i in range(4) for j in range(4)]
    same = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs if i != j) / 12
    across = sum(kernel(x[i], y[j]) for i, j in pairs) / 16

    assert discrepancy(x, y, KERNELS["rbf"]).item() == pytest.approx(same - 2 * across, abs=1e-6)


@both_kernels
def test_one_example_says_nothing(kernel):
    x = normals(1, 2, 0).requires_grad_()

    found = discrepancy(x, normals(1, 2, 1), kernel)
    found.backward()

    assert found == 0
    assert (x.grad == 0).all()


def test_z_is_taken_relative_to_its_prior_and_nothing_else_where_there_is_none():
    prior = Gaussian(torch.full((1, 2, 1), 3.0), torch.tensor(2.0).log())
    z = torch.tensor([[[7.0], [99.0]]])
    latent = Latent(Layer(0, "z", (2, 1)), z, prior, prior, torch.tensor([[True, False]]))

    assert relative(latent, torch.full_like(z, 0.25)).tolist() == [[pytest.approx(2.0), 0.25]]


@pytest.mark.parametrize("wrong", [{"weight": -1.0}, {"kernel": "linear"}, {"layers": "bottom"}])
def test_wrong_choices_are_refused(wrong):
    with pytest.raises(ValueError, match=f"of MMD, {next(iter(wrong))}"):
        MMD(**wrong)
