"""A model without latent variables: its bound is its likelihood."""

import pytest
import torch

from lit_vae import LitVAE
from lit_vae.backbones import Unconditional
from lit_vae.batch import Batch
from lit_vae.heads import LogisticPixelHead, LSTMTokenHead
from lit_vae.importance import importance_weighted_nll
from lit_vae.noise import IndexedNoise
from lit_vae.objectives import ELBO


def language_model():
    torch.manual_seed(0)
    head = LSTMTokenHead(2, 7, (None,), embed_width=5, hidden=6)
    return LitVAE(Unconditional(5, (None,), width=2), head, ELBO(per="symbol")).eval()


BATCH = Batch(torch.randint(7, (3, 4), generator=torch.Generator().manual_seed(0)), None, torch.arange(3))


@torch.no_grad()
def test_bound_likelihood_and_importance_weighted_bound_are_one():
    model = language_model()

    terms = model.terms(BATCH, IndexedNoise(BATCH.index))

    assert terms.rate.tolist() == [0.0] * 3
    torch.testing.assert_close(terms.nelbo, terms.distortion)
    torch.testing.assert_close(importance_weighted_nll(model, BATCH, 5).float(), terms.nelbo)


@torch.no_grad()
def test_what_an_example_is_does_not_matter_to_the_features():
    head = LogisticPixelHead(width=3, num_values=4, shape=(1, 2, 2), components=1)
    model = LitVAE(Unconditional(1, (2, 2), width=3), head, ELBO(per="symbol"))
    x = torch.tensor([[[[0, 1], [2, 3]]], [[[3, 3], [3, 3]]]])

    features, latents = model.backbone.top_down(None, [2, 2, 2], None, [], None)

    assert latents == []
    assert torch.equal(features[0], features[1])
    assert model.terms(Batch(x, None, torch.arange(2)), IndexedNoise(torch.arange(2))).kls.shape == (0, 2)


def test_its_features_learn():
    model = language_model()

    model.terms(BATCH, IndexedNoise(BATCH.index)).loss.backward()

    assert model.backbone.features.grad.abs().min() > 0


def test_no_width_is_refused():
    with pytest.raises(ValueError, match=r"model\.backbone\.init_args\.width counts up from 1, got 0"):
        Unconditional(5, (None,), width=0)
