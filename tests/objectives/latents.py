"""Latent layers whose KL is given."""

import torch

from lit_vae.distributions import Gaussian
from lit_vae.latents import Latent, Layer


def latent(kl, mask=None, index=0):
    """A layer whose KL is given for each of its variables, [B, *S, z]: half the square of the posterior's mean."""
    loc = (2 * torch.tensor(kl)).sqrt().requires_grad_()
    zeros = torch.zeros_like(loc)
    shape = tuple(loc.shape[1:])
    return Latent(Layer(index, f"z{index}", shape), loc, Gaussian(zeros, zeros), Gaussian(loc, zeros), mask)


def layer(*kls, index=0):
    """A layer of one number whose KL is given for each example."""
    return latent([[kl] for kl in kls], index=index)
