"""Second derivatives are right or refused, and torch.func works where nothing forbids it."""

import pytest
import torch
from exact import normal_hazard_slope
from torch.autograd import grad, gradgradcheck
from torch.func import functional_call, jacrev, vmap

from lit_vae.distributions.derivatives import differentiable_once
from lit_vae.distributions.families import Laplace, Logistic, Normal, StudentT
from lit_vae.distributions.fused_mixture import mixture_log_prob
from lit_vae.distributions.l2 import L2Pixels
from lit_vae.distributions.mixture import DiscretizedMixture
from lit_vae.distributions.mixture_layout import MixtureLayout
from lit_vae.distributions.scales import ScaleLink
from lit_vae.heads import NormalPixelHead

FAMILIES = {"logistic": Logistic(), "normal": Normal(), "laplace": Laplace(), "cauchy": StudentT(1), "t": StudentT(4)}
LAYOUT = MixtureLayout(2, 2)
CODES = torch.tensor([[0, 3], [8, 5]]).view(2, 2, 1, 1)
"""Both ends are among them."""


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mixture(family):
    """log p of two pictures of one pixel, [2], from the mixture's parameters."""
    link = ScaleLink("softplus", floor=-9.0)
    return lambda raw: DiscretizedMixture(raw, LAYOUT, FAMILIES[family], 9, link).log_prob(CODES)


def squares(means, log_scale):
    return L2Pixels(means, 9, log_scale).log_prob(CODES)


@pytest.mark.parametrize("family", FAMILIES)
def test_second_derivatives_of_a_mass_are_right(family):
    raw = numbers(2, 1, 1, LAYOUT.size).requires_grad_()

    assert gradgradcheck(mixture(family), raw)


def test_second_derivatives_of_squared_errors_likelihood_are_right():
    inputs = [numbers(2, 1, 1, 2).requires_grad_(), torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)]

    assert gradgradcheck(squares, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_curvature_of_a_normals_tail_is_right_however_far_out(dtype):
    start = torch.tensor([-30.0, -3.0, 0.0, 2.0, 50.0, 199.0, 201.0, 3e3, 1e6], dtype=dtype, requires_grad=True)

    (slope,) = grad(Normal().log_survival(start).sum(), start, create_graph=True)
    (curvature,) = grad(slope.sum(), start)

    expected = -torch.tensor([normal_hazard_slope(x) for x in start.tolist()], dtype=torch.float64)
    rounding = 1e-6 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(curvature.double(), expected, rtol=rounding, atol=1e-30)


@pytest.mark.parametrize("family", FAMILIES)
def test_functional_derivatives_are_those_of_autograd(family):
    raw = numbers(2, 1, 1, LAYOUT.size)
    log_prob = mixture(family)

    jacobian, hessian = jacrev(log_prob)(raw), jacrev(jacrev(log_prob))(raw)

    torch.testing.assert_close(jacobian, torch.autograd.functional.jacobian(log_prob, raw))
    expected = torch.autograd.functional.hessian(lambda given: log_prob(given).sum(), raw)
    torch.testing.assert_close(hessian.sum(0), expected)


def test_gradients_of_each_example_come_from_one_call():
    head = NormalPixelHead(3, 9, (2, 1, 1), components=2).double()
    features = numbers(2, 1, 1, 3)
    weights = dict(head.named_parameters())

    def log_prob(weights, features, codes):
        return functional_call(head, weights, features.unsqueeze(0)).log_prob(codes.unsqueeze(0)).squeeze(0)

    each = vmap(torch.func.grad(log_prob), (None, 0, 0))(weights, features, CODES)

    for example in range(2):
        alone = grad(head(features[example : example + 1]).log_prob(CODES[example : example + 1]), weights.values())
        for name, expected in zip(weights, alone, strict=True):
            torch.testing.assert_close(each[name][example], expected)


def test_a_second_derivative_of_the_fused_mixture_is_refused():
    params = numbers(2, 1, 1, LAYOUT.size).requires_grad_()
    nats = mixture_log_prob(params, CODES, 9, 2, True, -7.0)

    (gradient,) = grad(nats.sum(), params, create_graph=True)

    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        gradient.sum().backward()


def test_the_end_of_a_derivative_is_the_gradient_and_refuses_to_be_differentiated():
    weight = torch.ones(2, requires_grad=True)

    gradient = differentiable_once(torch.tensor([1.0, 2.0]), "the loss", weight)

    assert gradient.tolist() == [1.0, 2.0]
    with pytest.raises(NotImplementedError, match="the loss is differentiable once"):
        gradient.sum().backward()
