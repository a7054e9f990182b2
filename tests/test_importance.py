"""The importance-weighted bound against an integral, and what it may not depend on."""

import math

import pytest
import torch

from lit_vae import LitVAE, importance
from lit_vae.backbones import ConvVAE
from lit_vae.batch import Batch
from lit_vae.draws import from_posterior
from lit_vae.heads import LogisticPixelHead
from lit_vae.importance import importance_weighted_nll
from lit_vae.noise import IndexedNoise
from lit_vae.objectives import ELBO


def model(latent):
    torch.manual_seed(0)
    head = LogisticPixelHead(width=4, num_values=8, shape=(1, 4, 4), components=2)
    backbone = ConvVAE(head.embed_width, head.positions, width=4, latent=latent, halvings=1)
    with torch.no_grad():
        for parameter in (*backbone.parameters(), *head.parameters()):
            parameter.add_(0.1 * torch.randn_like(parameter))
    return LitVAE(backbone, head, ELBO(per="symbol")).eval()


def pictures(num):
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(8, (num, 1, 4, 4), generator=generator, dtype=torch.uint8)
    return Batch(x, None, torch.arange(num))


@torch.no_grad()
def integral(vae, batch):
    """-log p(x) by the trapezoid rule over one latent variable, [B]."""
    grid = torch.linspace(-8, 8, 4001)
    distribution, latents = vae.generate(
        [len(grid), 4, 4], lambda *_: grid.unsqueeze(1), IndexedNoise(torch.arange(len(grid)))
    )
    joint = [distribution.log_prob(x.expand(len(grid), -1, -1, -1)).double() + latents[0].log_p for x in batch.x]
    return -torch.stack([values.logsumexp(0) for values in joint]) - math.log(16 / 4000)


def test_it_comes_close_to_the_integral():
    vae, batch = model(latent=1), pictures(3)

    bound = importance_weighted_nll(vae, batch, 2000)

    torch.testing.assert_close(bound, integral(vae, batch), atol=0.02, rtol=0)


@torch.no_grad()
def test_of_one_sample_it_is_the_bound_at_that_sample():
    vae, batch = model(latent=2), pictures(3)
    distribution, latents = vae(batch, from_posterior, IndexedNoise(batch.index))
    weight = distribution.log_prob(batch.x) + sum(latent.log_weight for latent in latents)

    torch.testing.assert_close(importance_weighted_nll(vae, batch, 1), -weight.double(), atol=1e-4, rtol=0)


def test_it_falls_from_the_bound_towards_the_likelihood():
    vae, batch = model(latent=1), pictures(64)

    means = [importance_weighted_nll(vae, batch, samples).mean() for samples in (1, 5, 100)]

    assert means[0] > means[1] > means[2] > integral(vae, batch).mean() - 0.01


@pytest.mark.parametrize("at_once", [1, 16 * 3, 16 * 3 * 4, 10**6])
def test_it_does_not_depend_on_how_many_samples_go_at_once(monkeypatch, at_once):
    vae, batch = model(latent=2), pictures(3)
    expected = importance_weighted_nll(vae, batch, 10)

    monkeypatch.setattr(importance, "SYMBOLS_AT_ONCE", at_once)

    # sums of float32 log-probabilities in batches of other sizes
    torch.testing.assert_close(importance_weighted_nll(vae, batch, 10), expected, atol=0, rtol=1e-5)


def test_it_does_not_depend_on_the_batch():
    vae, batch = model(latent=2), pictures(3)

    alone = torch.cat([importance_weighted_nll(vae, batch[slice(i, i + 1)], 10) for i in range(3)])

    torch.testing.assert_close(importance_weighted_nll(vae, batch, 10), alone, atol=0, rtol=1e-5)
