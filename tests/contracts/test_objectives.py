"""What every objective promises."""

import inspect

import pytest
import torch

import lit_vae.objectives
from contracts.registry import BACKBONES, OBJECTIVES, WIDTH, head_of
from lit_vae import Batch, LitVAE
from lit_vae.distributions import Gaussian
from lit_vae.draws import from_posterior
from lit_vae.latents import Latent, Layer
from lit_vae.noise import StreamNoise
from lit_vae.objectives import ELBO, Objective


@pytest.fixture(params=OBJECTIVES.values(), ids=OBJECTIVES.keys())
def objective(request):
    return request.param()


def latents_of(loc):
    """Two layers whose posteriors have the given means, [2, B, 3], and whose priors are standard."""
    return [
        Latent(Layer(i, f"z{i}", (3,)), row, Gaussian(torch.zeros_like(row), torch.zeros(())), Gaussian(row, row * 0))
        for i, row in enumerate(loc)
    ]


def test_every_objective_of_the_package_is_registered():
    exported = (getattr(lit_vae.objectives, name) for name in lit_vae.objectives.__all__)
    classes = {item for item in exported if inspect.isclass(item) and issubclass(item, Objective)}

    assert {type(make()) for make in OBJECTIVES.values()} == {cls for cls in classes if not inspect.isabstract(cls)}


@pytest.mark.parametrize("step", [0, 5, 1000])
def test_the_bound_is_the_true_one_whatever_softens_the_loss(objective, step):
    log_prob, loc = torch.tensor([-8.0, -4.0]), torch.tensor([[[1.0] * 3, [0.1] * 3], [[0.0] * 3, [2.0] * 3]])

    terms = objective(log_prob, latents_of(loc), torch.tensor([2, 5]), step)

    torch.testing.assert_close(terms.kls, torch.tensor([[1.5, 0.015], [0.0, 6.0]]))
    torch.testing.assert_close(terms.distortion, -log_prob)
    torch.testing.assert_close(terms.rate, terms.kls.sum(0))
    torch.testing.assert_close(terms.nelbo, -log_prob + terms.kls.sum(0))


def test_the_loss_is_one_number_that_falls_with_the_likelihood(objective):
    log_prob = torch.tensor([-8.0, -4.0], requires_grad=True)

    loss = objective(log_prob, latents_of(torch.ones(2, 2, 3)), torch.tensor([2, 5]), 3).loss
    loss.backward()

    assert loss.shape == ()
    assert (log_prob.grad < 0).all()


def test_a_model_without_latents_has_a_loss(objective):
    terms = objective(torch.tensor([-8.0, -4.0]), [], torch.tensor([2, 4]), 0)

    assert terms.loss > 0
    assert terms.kls.shape == (0, 2)
    torch.testing.assert_close(terms.nelbo, torch.tensor([8.0, 4.0]))


@pytest.mark.parametrize("case", BACKBONES.values(), ids=BACKBONES.keys())
def test_every_backbone_learns_under_it_and_reports_the_same_bound(case, objective):
    backbone = case.build()
    vae = LitVAE(backbone, head_of(backbone, case.positions), objective)
    x = torch.randint(4, [2, 5] if case.is_text else [2, WIDTH, *case.positions])
    distribution, latents = vae(Batch(x, None, torch.arange(2)), from_posterior, StreamNoise(0))
    inputs = distribution.log_prob(x), latents, torch.tensor([3, 5])

    terms = objective(*inputs, step=5)
    terms.loss.backward()

    torch.testing.assert_close(terms.nelbo, ELBO("symbol")(*inputs, step=5).nelbo)
    gradients = [parameter.grad for parameter in backbone.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
