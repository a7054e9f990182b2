import pytest
import torch

from lit_vae.backbones import ConvVAE
from lit_vae.draws import FromPrior


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 8)])
@pytest.mark.parametrize("halvings", [0, 1, 3])
def test_any_size_comes_back_at_its_own(shape, halvings):
    backbone = ConvVAE(embed_width=1, shape=shape, width=4, latent=2, halvings=halvings)

    features, _ = backbone.top_down(None, (2, *shape), FromPrior(), [torch.zeros(2, 2)], None)

    assert features.shape == (2, *shape, 4)


def test_there_is_one_latent_vector_under_a_standard_normal():
    backbone = ConvVAE(embed_width=1, shape=(4, 4), width=4, latent=2)

    _, latents = backbone.top_down(None, (3, 4, 4), FromPrior(), [torch.zeros(3, 2)], None)

    assert [layer.shape for layer in backbone.layers((4, 4))] == [(2,)]
    assert torch.equal(latents[0].prior.mean, torch.zeros(3, 2))
    assert torch.equal(latents[0].prior.scale, torch.ones(3, 2))


@pytest.mark.parametrize("wrong", [{"width": 0}, {"latent": 0}, {"depth": 0}, {"halvings": -1}])
def test_numbers_below_their_least_are_refused(wrong):
    with pytest.raises(ValueError, match=r"model\.backbone\.init_args count up from 1 and halvings from 0"):
        ConvVAE(embed_width=1, shape=(4, 4), **wrong)
