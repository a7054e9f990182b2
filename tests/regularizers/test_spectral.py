"""Singular values and scales."""

import pytest
import torch
from contracts.registry import BACKBONES, head_of
from contracts.test_regularizers import batch_of, pass_of
from torch import nn

from lit_vae import LitVAE
from lit_vae.backbones.nvae_cells import NormedConv2d
from lit_vae.objectives import ELBO, Linear
from lit_vae.regularizers import Spectral


def vae_of(name, regularizer, objective=None):
    case = BACKBONES[name]
    backbone = case.build()
    head = head_of(backbone, case.positions)
    return LitVAE(backbone, head, objective or ELBO("symbol"), regularizers=[regularizer]).train(), batch_of(case)


def largest(matrices):
    return sum(torch.linalg.matrix_norm(matrix.detach().flatten(1).double(), 2).item() for matrix in matrices)


def layers(vae, *kinds):
    return [module for part in (vae.backbone, vae.head) for module in part.modules() if isinstance(module, kinds)]


def weights(vae):
    return [layer.weight for layer in layers(vae, nn.Linear, nn.Conv1d, nn.Conv2d)]


def test_the_singular_values_are_those_of_all_layers():
    vae, batch = vae_of("ladder", Spectral(0.5, iterations=40, layers="all"))

    term = vae.regularizers[0](vae, pass_of(vae, batch))["spectral"]

    assert term.item() == pytest.approx(0.5 * largest(weights(vae)), rel=1e-3)


def test_of_convolutions_with_learned_lengths_the_weights_that_are_applied_count_and_linear_layers_if_asked():
    vae, batch = vae_of("nvae", Spectral(1.0, iterations=40))
    applied = [c.normed() if isinstance(c, NormedConv2d) else c.weight for c in layers(vae, nn.Conv2d)]

    terms = vae.regularizers[0](vae, pass_of(vae, batch))

    scales = [norm.weight.abs().max().item() for norm in layers(vae, nn.BatchNorm2d)]
    assert terms["spectral"].item() == pytest.approx(largest(applied), rel=1e-3)
    assert terms["batch_norm"].item() == pytest.approx(sum(scales), rel=1e-5)


def test_few_iterations_at_each_step_come_to_the_singular_values():
    vae, batch = vae_of("conv", Spectral(1.0, iterations=1, layers="all"))

    for step in range(1, 60):
        term = vae.regularizers[0](vae, pass_of(vae, batch, step))["spectral"]

    assert term.item() == pytest.approx(largest(weights(vae)), rel=1e-3)


def test_its_gradient_is_that_of_the_singular_values():
    vae, batch = vae_of("conv", Spectral(1.0, iterations=100, layers="all"))
    matrices = weights(vae)

    term = vae.regularizers[0](vae, pass_of(vae, batch))["spectral"]
    found = torch.autograd.grad(term, matrices)

    exact = torch.autograd.grad(sum(torch.linalg.matrix_norm(m.flatten(1), 2) for m in matrices), matrices)
    torch.testing.assert_close(found, exact, atol=2e-3, rtol=0)


def test_the_weight_goes_down_as_that_of_the_kl_goes_up():
    vae, batch = vae_of("conv", Spectral(1e-2, first_weight=1.0), ELBO("symbol", Linear(10)))
    spectral = vae.regularizers[0]

    terms = [spectral(vae, pass_of(vae, batch, step))["spectral"].item() for step in (0, 5, 10, 99)]

    ratios = [term / terms[0] for term in terms]
    assert ratios == pytest.approx([1, 0.1, 0.01, 0.01], rel=0.05)


def test_a_model_without_convolutions_is_told_what_to_set():
    with pytest.raises(ValueError, match=r"Spectral of model\.regularizers finds no convolutions.*layers: all"):
        vae_of("recurrent", Spectral())
    with pytest.raises(ValueError, match="of Spectral, layers is 'convolutions' or 'all', got 'linear'"):
        Spectral(layers="linear")


@pytest.mark.parametrize("wrong", [{"weight": 0.0}, {"first_weight": -1.0}, {"iterations": 0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="of Spectral, weight and first_weight are above 0"):
        Spectral(**wrong)
