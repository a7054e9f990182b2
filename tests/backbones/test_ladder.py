import pytest
import torch

from lit_vae.backbones import LadderVAE
from lit_vae.draws import FromPrior, from_posterior


def test_layers_go_from_the_coarsest_resolution_to_the_pictures_own():
    layers = LadderVAE(embed_width=1, shape=(8, 12), width=4, latent=2, blocks=(1, 2, 1)).layers((8, 12))

    assert [layer.index for layer in layers] == [0, 1, 2, 3]
    assert [layer.name for layer in layers] == ["2x3.0", "4x6.0", "4x6.1", "8x12.0"]
    assert [layer.shape for layer in layers] == [(2, 3, 2), (4, 6, 2), (4, 6, 2), (8, 12, 2)]


def test_a_lower_prior_depends_on_the_latents_above_and_the_top_one_on_nothing():
    torch.manual_seed(0)
    backbone = LadderVAE(embed_width=1, shape=(4, 4), width=4, latent=2, blocks=(1, 1))
    noise = [torch.randn(2, *layer.shape) for layer in backbone.layers((4, 4))]

    _, (top, bottom) = backbone.top_down(None, (2, 4, 4), FromPrior(), noise, None)

    torch.testing.assert_close(top.prior.mean[0], top.prior.mean[1])
    assert not torch.allclose(bottom.prior.mean[0], bottom.prior.mean[1])


def test_a_lower_posterior_depends_on_the_picture_and_on_the_latents_above():
    torch.manual_seed(0)
    backbone = LadderVAE(embed_width=1, shape=(4, 4), width=4, latent=2, blocks=(1, 1))
    x = torch.rand(1, 4, 4, 1)
    quiet = [torch.zeros(1, *layer.shape) for layer in backbone.layers((4, 4))]
    loud = [torch.ones_like(quiet[0]), quiet[1]]

    def bottom_mean(features, noise):
        context = backbone.bottom_up(features, None)
        return backbone.top_down(context, (1, 4, 4), from_posterior, noise, None)[1][1].posterior.mean

    assert not torch.allclose(bottom_mean(x, quiet), bottom_mean(x + 1, quiet))
    assert not torch.allclose(bottom_mean(x, quiet), bottom_mean(x, loud))


def test_the_noise_of_a_layer_moves_nothing_above_it():
    torch.manual_seed(0)
    backbone = LadderVAE(embed_width=1, shape=(4, 4), width=4, latent=2, blocks=(2, 1))
    noise = [torch.randn(1, *layer.shape) for layer in backbone.layers((4, 4))]
    other = [noise[0], noise[1] + 1, noise[2]]

    _, before = backbone.top_down(None, (1, 4, 4), FromPrior(), noise, None)
    _, after = backbone.top_down(None, (1, 4, 4), FromPrior(), other, None)

    assert torch.equal(after[0].z, before[0].z)
    assert torch.equal(after[1].prior.mean, before[1].prior.mean)
    assert not torch.allclose(after[2].prior.mean, before[2].prior.mean)


def test_a_size_that_cannot_be_halved_so_often_names_the_key():
    with pytest.raises(ValueError, match=r"divisible by 4.*6x8.*model\.backbone\.init_args\.blocks.*\[1, 1, 1\]"):
        LadderVAE(embed_width=1, shape=(6, 8), blocks=[1, 1, 1])


@pytest.mark.parametrize("wrong", [{"width": 0}, {"latent": 0}, {"depth": 0}, {"blocks": []}, {"blocks": [1, 0]}])
def test_numbers_below_1_are_refused(wrong):
    with pytest.raises(ValueError, match=r"blocks of model\.backbone\.init_args count up from 1"):
        LadderVAE(embed_width=1, shape=(4, 4), **wrong)
