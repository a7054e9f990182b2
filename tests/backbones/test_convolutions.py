"""What the convolutional backbones promise alike, beyond the contract of every backbone."""

import pytest
import torch

from lit_vae.backbones import ConvVAE, LadderVAE
from lit_vae.backbones.convolutions import ResidualBlock, soft_gaussian
from lit_vae.draws import FromPrior, from_posterior

BACKBONES = pytest.mark.parametrize("kind", [ConvVAE, LadderVAE])


def encode(backbone, x):
    noise = [torch.randn(len(x), *layer.shape) for layer in backbone.layers(x.shape[1:-1])]
    return backbone.top_down(backbone.bottom_up(x, None), x.shape[:-1], from_posterior, noise, None)


@BACKBONES
@pytest.mark.parametrize("depth", [1, 4])
def test_posterior_and_prior_begin_alike_and_features_at_the_size_of_one(kind, depth):
    torch.manual_seed(0)
    backbone = kind(embed_width=1, shape=(8, 12), width=32, depth=depth)

    features, latents = encode(backbone, 2 * torch.rand(8, 8, 12, 1) - 1)

    assert all(latent.kl_elements.mean() < 0.02 for latent in latents)
    assert 0.1 < features.std() < 3


@BACKBONES
def test_every_parameter_gets_a_gradient_from_the_first_step(kind):
    torch.manual_seed(0)
    backbone = kind(embed_width=1, shape=(8, 12), width=8)
    features, latents = encode(backbone, torch.rand(4, 8, 12, 1))

    (features.square().sum() + sum(latent.kl.sum() for latent in latents)).backward()

    assert [name for name, parameter in backbone.named_parameters() if not parameter.grad.any()] == []


@BACKBONES
def test_a_bound_stays_finite_however_large_the_features(kind):
    torch.manual_seed(0)
    _, latents = encode(kind(embed_width=1, shape=(8, 12), width=8), 1e6 * torch.rand(4, 8, 12, 1))

    kls = torch.stack([latent.kl for latent in latents])

    assert kls.isfinite().all()


@BACKBONES
def test_text_is_refused_with_the_key(kind):
    with pytest.raises(ValueError, match=r"reads pictures.*\[None\].*model\.backbone"):
        kind(embed_width=8, shape=(None,))


@BACKBONES
def test_pictures_of_another_size_are_refused(kind):
    backbone = kind(embed_width=1, shape=(8, 8), width=4)

    with pytest.raises(ValueError, match=r"8x8.*\[8, 4\]"):
        backbone.bottom_up(torch.zeros(2, 8, 4, 1), None)
    with pytest.raises(ValueError, match=r"8x8.*\[8, 4\]"):
        backbone.top_down(None, (2, 8, 4), FromPrior(), [], None)


def test_log_scales_are_themselves_near_0_and_bounded_far_away():
    parameters = torch.tensor([[1.0, 2.0, 3.0, 0.01, -1e6, 1e6]])

    gaussian = soft_gaussian(parameters)

    assert gaussian.mean.tolist() == [[1.0, 2.0, 3.0]]
    torch.testing.assert_close(gaussian.log_scale, torch.tensor([[0.01, -5.0, 5.0]]))


def test_many_residual_blocks_begin_at_the_size_of_one():
    torch.manual_seed(0)
    x = torch.randn(4, 16, 8, 8)

    one, many = ((blocks(x) - x).std() for blocks in (ResidualBlock(16), stack(64)))

    assert 0.5 < many / one < 2


def stack(count):
    return torch.nn.Sequential(*(ResidualBlock(16, count) for _ in range(count)))
