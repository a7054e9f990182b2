"""What the recurrent backbone promises beyond the contract of every backbone."""

from functools import partial

import pytest
import torch

from lit_vae.backbones import GaussianPosterior, RecurrentVAE
from lit_vae.draws import FromPrior, from_posterior


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return RecurrentVAE(embed_width=4, shape=(None,), width=6, hidden=5, latent=3)


@torch.no_grad()
def test_padding_does_not_change_the_posterior(backbone):
    features = torch.randn(2, 7, 4)
    mask = torch.arange(7) < torch.tensor([[3], [5]])

    together = backbone.bottom_up(features, mask)
    alone = backbone.bottom_up(features[:1, :3], None)
    noisy = backbone.bottom_up(torch.where(mask.unsqueeze(-1), features, torch.nan), mask)

    torch.testing.assert_close(together.mean[:1], alone.mean)
    torch.testing.assert_close(together.log_scale[:1], alone.log_scale)
    assert torch.equal(together.mean, noisy.mean)


@torch.no_grad()
def test_the_last_token_reaches_the_posterior(backbone):
    features, mask = torch.randn(1, 5, 4), torch.tensor([[True, True, True, False, False]])
    changed = features.clone()
    changed[:, 2] += 1.0

    before, after = (backbone.bottom_up(f, mask).mean for f in (features, changed))

    assert not torch.allclose(before, after)


@torch.no_grad()
def test_no_feature_depends_on_the_length_of_the_text(backbone):
    noise = [torch.randn(2, 3)]

    short, _ = backbone.top_down(None, [2, 4], FromPrior(), noise, None)
    long, _ = backbone.top_down(None, [2, 9], FromPrior(), noise, torch.arange(9).expand(2, -1) < 4)

    assert short.shape == (2, 4, 6)
    torch.testing.assert_close(long[:, :4], short)


def test_the_one_layer_is_standard_normal_and_every_parameter_learns(backbone):
    context = backbone.bottom_up(torch.randn(2, 4, 4), None)
    features, (latent,) = backbone.top_down(context, [2, 4], from_posterior, [torch.randn(2, 3)], None)

    (features.square().sum() + latent.kl.sum()).backward()

    assert latent.layer.shape == (3,)
    assert torch.equal(latent.prior.mean, torch.zeros(2, 3))
    assert torch.equal(latent.prior.scale, torch.ones(2, 3))
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.parameters())


def test_pictures_are_refused_with_what_to_change():
    with pytest.raises(ValueError, match=r"positions \[8, 8\].*model\.backbone"):
        RecurrentVAE(embed_width=3, shape=(8, 8))


@torch.no_grad()
def test_without_a_projection_the_features_are_z_itself():
    backbone = RecurrentVAE(embed_width=4, shape=(None,), width=3, hidden=5, latent=3, project=False)
    noise = torch.randn(2, 3)

    features, _ = backbone.top_down(None, [2, 4], FromPrior(), [noise], None)

    assert torch.equal(features, noise.unsqueeze(1).expand(-1, 4, -1))
    with pytest.raises(ValueError, match=r"init_args\.project.*set width to latent, 3, got 4"):
        RecurrentVAE(embed_width=4, shape=(None,), width=4, latent=3, project=False)


def test_the_sizes_and_start_of_the_lagging_encoder_are_reproduced():
    torch.manual_seed(0)

    backbone = RecurrentVAE(
        embed_width=256,
        shape=(None,),
        width=32,
        hidden=256,
        latent=32,
        posterior=partial(GaussianPosterior, bias=False),
        project=False,
        uniform=0.01,
    )

    # Of torch's LSTM: input and recurrent weights and two biases for each of four gates; then means and log-scales.
    assert sum(p.numel() for p in backbone.parameters()) == 4 * 256 * (256 + 256 + 2) + 256 * 64
    assert all(0.0098 < p.abs().max() <= 0.01 for p in backbone.parameters())
