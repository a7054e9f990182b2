"""Weights that share the KL out among the layers."""

import inspect

import pytest
import torch
from contracts.registry import BALANCES

import lit_vae.objectives
from lit_vae.latents import Layer
from lit_vae.objectives import GammaBalance, KLBalance, SquareBalance

LAYERS = [Layer(0, "1x1.0", (1, 1, 4)), Layer(1, "2x2.0", (2, 2, 4)), Layer(2, "2x2.1", (2, 2, 4))]
KLS = torch.tensor([[1.0, 3.0], [4.0, 8.0], [10.0, 14.0]])
SMALL, FULL = torch.tensor(0.3), torch.tensor(1.0)


@pytest.fixture(params=BALANCES.values(), ids=BALANCES.keys())
def balance(request):
    return request.param()


def test_every_balance_of_the_package_is_registered():
    exported = (getattr(lit_vae.objectives, name) for name in lit_vae.objectives.__all__)
    classes = {item for item in exported if inspect.isclass(item) and issubclass(item, KLBalance)}

    assert {type(make()) for make in BALANCES.values()} == {cls for cls in classes if not inspect.isabstract(cls)}


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_weights_are_positive_and_one_in_the_mean(balance, scale):
    weights = balance(scale * KLS, LAYERS, SMALL, 3)

    assert weights.shape == (3,)
    assert (weights > 0).all()
    assert weights.mean().item() == pytest.approx(1)


def test_a_layer_with_more_of_the_kl_than_one_alike_weighs_more(balance):
    weights = balance(KLS, LAYERS, SMALL, 3)

    assert weights[2] > weights[1]


def test_layers_without_any_kl_are_all_alike(balance):
    layers = LAYERS[1:]

    assert balance(torch.zeros(2, 2), layers, SMALL, 3).tolist() == [1, 1]


def test_in_the_end_all_weights_are_one(balance):
    assert balance(KLS, LAYERS, FULL, 11).tolist() == [1, 1, 1]


def test_gamma_is_the_kl_per_variable_until_its_last_step():
    gamma = GammaBalance(10)

    early, late = gamma(KLS, LAYERS, FULL, 10), gamma(KLS, LAYERS, SMALL, 11)

    per_variable = torch.tensor([2.0 / 4, 6.0 / 16, 12.0 / 16])
    torch.testing.assert_close(early, per_variable / per_variable.mean())
    assert late.tolist() == [1, 1, 1]


def test_the_square_is_the_kl_per_position_times_layers_alike_until_the_kl_counts_in_full():
    early = SquareBalance()(KLS, LAYERS, SMALL, 10**6)

    shares = torch.tensor([2.01, 6.01 / 2, 12.01 / 2])
    torch.testing.assert_close(early, shares / shares.mean())


def test_a_negative_count_is_refused_by_its_key():
    with pytest.raises(ValueError, match=r"model\.objective\.init_args\.balance\.init_args\.steps counts up from 0"):
        GammaBalance(-1)
