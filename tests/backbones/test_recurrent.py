"""What the recurrent backbone promises beyond the contract of every backbone."""

import pytest
import torch

from lit_vae.backbones import RecurrentVAE
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
    assert torch.equal(long[:, :4], short)


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
