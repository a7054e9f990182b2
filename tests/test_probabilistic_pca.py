"""The whole path against a closed form: a linear VAE trained here reaches the exact maximum likelihood."""

import math

import pytest
import torch
from torch import nn

from lit_vae.backbones import Backbone
from lit_vae.data import ImageDataModule
from lit_vae.distributions import Gaussian
from lit_vae.heads import NormalPixelHead
from lit_vae.latents import Latent, Layer
from lit_vae.noise import IndexedNoise
from lit_vae.objectives import ELBO
from lit_vae.symbols import Pixels
from lit_vae.vae import LitVAE

DIMENSIONS, LATENTS, EXAMPLES, LEVELS, STEPS = 6, 2, 512, 4096, 400


class Linear(Backbone):
    """Linear both ways, the posterior's scale one for all examples: what the exact posterior of the model is."""

    def __init__(self):
        super().__init__(width=1)
        self.encode = nn.Linear(DIMENSIONS, LATENTS)
        self.log_scale = nn.Parameter(torch.zeros(LATENTS))
        self.decode = nn.Linear(LATENTS, DIMENSIONS)

    def layers(self, shape):
        return [Layer(0, "z", (LATENTS,))]

    def bottom_up(self, features, mask):
        return Gaussian(self.encode(features.flatten(1)), self.log_scale)

    def top_down(self, context, shape, draw, noise, mask):
        (layer,) = self.layers(shape[1:])
        prior = Gaussian(torch.zeros_like(noise[0]), torch.zeros(()))
        z = draw(prior, context, noise[0], layer)
        return self.decode(z).view(*shape, 1), [Latent(layer, z, prior, context)]


class LinearGaussianData(ImageDataModule):
    """Columns of pixels whose levels are a linear function of two latent numbers, and noise; never near the ends."""

    def __init__(self):
        super().__init__(batch_size=EXAMPLES)
        generator = torch.Generator().manual_seed(0)
        mixing = torch.randn(DIMENSIONS, LATENTS, generator=generator) * torch.tensor([1.0, 0.6])
        z, noise = (torch.randn(EXAMPLES, n, generator=generator) for n in (LATENTS, DIMENSIONS))
        points = 0.1 * z @ mixing.T + 0.05 * noise + torch.linspace(-0.2, 0.2, DIMENSIONS)
        self.levels = ((points + 1) * (LEVELS - 1) / 2).round().to(torch.int32).view(EXAMPLES, 1, DIMENSIONS, 1)

    @property
    def symbols(self):
        return Pixels("linear", LEVELS, (1, DIMENSIONS, 1))

    def read(self, split):
        return self.levels


def exact_nats(levels):
    """-log-likelihood of probabilistic PCA at its maximum, nats per dimension, as a density over [-1, 1].

    Source:
        Tipping & Bishop, 1999, https://doi.org/10.1111/1467-9868.00196.
    """
    points = levels.double().flatten(1) * 2 / (LEVELS - 1) - 1
    variances = torch.linalg.eigvalsh(torch.cov(points.T, correction=0)).flip(0)
    noise = variances[LATENTS:].mean()
    log_det = variances[:LATENTS].log().sum() + (DIMENSIONS - LATENTS) * noise.log()
    return (0.5 * (math.log(2 * math.pi) + 1 + log_det / DIMENSIONS)).item()


def test_a_linear_vae_reaches_the_exact_maximum_likelihood(make_trainer):
    torch.manual_seed(0)
    data = LinearGaussianData()
    head = NormalPixelHead(width=1, num_values=LEVELS, shape=data.shape, components=1, scale="shared")
    vae = LitVAE(
        Linear(),
        head,
        ELBO(per="symbol"),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.1),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, STEPS),
    )
    make_trainer(max_steps=STEPS, limit_val_batches=0).fit(vae, datamodule=data)

    batch = data.dataset("train").__getitems__(list(range(EXAMPLES)))
    with torch.no_grad():
        bounds = [vae.terms(batch, IndexedNoise(batch.index, seed)).nelbo.double().mean() for seed in range(100)]
    nats_per_dimension = torch.stack(bounds).mean().item() / DIMENSIONS
    bin_width = 2 / (LEVELS - 1)
    assert nats_per_dimension + math.log(bin_width) == pytest.approx(exact_nats(data.levels), abs=0.01)
