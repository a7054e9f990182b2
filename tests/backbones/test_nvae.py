import math

import pytest
import torch
from torch.distributions import kl_divergence

from lit_vae.backbones import NVAE
from lit_vae.backbones.nvae import bounded_gaussian
from lit_vae.draws import FromPrior, from_posterior
from lit_vae.noise import StreamNoise


def small(shape=(4, 8), **options):
    """A small model away from its initial values."""
    torch.manual_seed(0)
    made = NVAE(
        3, shape, **{"groups": "1,1", "width": 4, "latent": 2, "encoder_cells": 1, "decoder_cells": 1, **options}
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def noise_of(backbone, shape):
    noise = StreamNoise(0)
    return [noise.normal((shape[0], *layer.shape)) for layer in backbone.layers(shape[1:])]


@torch.no_grad()
def test_the_first_prior_has_a_scale_of_one_and_the_floor():
    backbone = small()

    _, latents = backbone.top_down(None, [2, 4, 8], FromPrior(), noise_of(backbone, [2, 4, 8]), None)

    assert latents[0].prior.mean.abs().max() == 0
    torch.testing.assert_close(latents[0].prior.scale, torch.full((2, 1, 2, 2), 1.01))


@torch.no_grad()
@pytest.mark.parametrize("flows", [0, 1])
def test_without_weight_norm_it_begins_as_the_same_function_of_fewer_weights(flows):
    def made(weight_norm):
        torch.manual_seed(0)
        sizes = {"groups": "1,1", "width": 4, "latent": 2, "encoder_cells": 1, "decoder_cells": 1, "flows": flows}
        return NVAE(3, (4, 8), **sizes, weight_norm=weight_norm).eval()

    normed, plain = made(True), made(False)
    x = torch.randn(2, 4, 8, 3)

    features = [
        model.top_down(model.bottom_up(x, None), [2, 4, 8], from_posterior, noise_of(model, [2, 4, 8]), None)[0]
        for model in (normed, plain)
    ]

    torch.testing.assert_close(*features, atol=1e-3, rtol=1e-3)
    names = {name for name, _ in normed.named_parameters()} - {name for name, _ in plain.named_parameters()}
    assert names
    assert all(name.endswith("log_length") for name in names)


def test_means_and_scales_are_bounded_however_far_the_network_goes():
    wild = bounded_gaussian(torch.tensor([1e6, -1e6, 0.01, 1e6, -1e6, 0.0], dtype=torch.float64).view(1, 6, 1, 1))

    assert wild.mean.flatten().tolist() == pytest.approx([5, -5, 0.01], rel=1e-5)
    assert wild.scale.flatten().tolist() == pytest.approx([math.exp(5) + 0.01, math.exp(-5) + 0.01, 1.01])


@torch.no_grad()
def test_a_residual_posterior_that_changes_nothing_is_the_prior():
    relative, absolute = small(), small(residual_posterior=False)
    state, seen = torch.randn(2, 8, 2, 4), torch.randn(2, 8, 2, 4)
    for backbone in (relative, absolute):
        backbone.decoder[1].posterior.log_length.fill_(-60)
        backbone.decoder[1].posterior.bias.zero_()

    _, prior, posterior = relative.decoder[1].propose(state, seen)
    _, other, standard = absolute.decoder[1].propose(state, seen)

    torch.testing.assert_close(kl_divergence(posterior, prior), torch.zeros(2, 2, 4, 2))
    torch.testing.assert_close(standard.mean, torch.zeros(2, 2, 4, 2))
    assert kl_divergence(standard, other).max() > 1e-3


@torch.no_grad()
def test_stored_statistics_serve_reconstruction_and_sampling_alone():
    backbone = small()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}

    for context in (backbone.bottom_up(torch.randn(2, 4, 8, 3), None), None):
        draw = FromPrior() if context is None else from_posterior
        backbone.top_down(context, [2, 4, 8], draw, noise_of(backbone, [2, 4, 8]), None)

    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize("bias_maps", ["learned", "shared"])
def test_a_model_runs_at_another_size(bias_maps):
    backbone = small((4, 8), bias_maps=bias_maps)

    features, latents = backbone.top_down(None, [2, 12, 4], FromPrior(), noise_of(backbone, [2, 12, 4]), None)

    assert features.shape == (2, 12, 4, 4)
    assert [latent.layer.name for latent in latents] == ["3x1.0", "6x2.0"]
    assert [seen.shape for seen in backbone.bottom_up(torch.zeros(2, 12, 4, 3), None)] == [(2, 16, 3, 1), (2, 8, 6, 2)]


@torch.no_grad()
def test_padding_is_a_black_frame_that_the_features_keep():
    padded, plain = small((2, 6), pad=1), small((4, 8))
    x = torch.randn(1, 2, 6, 3)
    framed = torch.full((1, 4, 8, 3), -1.0)
    framed[:, 1:-1, 1:-1] = x
    noise = noise_of(padded, [1, 2, 6])

    features, latents = padded.top_down(padded.bottom_up(x, None), [1, 2, 6], from_posterior, noise, None)
    expected, of_framed = plain.top_down(plain.bottom_up(framed, None), [1, 4, 8], from_posterior, noise, None)

    torch.testing.assert_close(features, expected)
    for latent, other in zip(latents, of_framed, strict=True):
        torch.testing.assert_close(latent.kl, other.kl)


def test_options_leave_parts_out():
    assert not [name for name, _ in small(squeeze_excitation=False).named_parameters() if "gate" in name]
    assert [tuple(small(bias_maps=form).top.map.shape) for form in ("learned", "shared")] == [
        (1, 16, 1, 2),
        (1, 16, 1, 1),
    ]
    assert [layer.shape for layer in small(outer_blocks=0, groups=2).layers((5, 7))] == [(5, 7, 2)] * 2
    assert len(small(flows=2).decoder[1].flow.shifts) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"groups": "2,a"}, r"init_args\.groups: 'a' is neither a number nor a run"),
        ({"groups": 1.5}, r"init_args\.groups holds 1\.5, the nearest whole number is 2"),
        ({"groups": []}, r"groups, latent, outer_cells.* count up from 1"),
        ({"groups": "2,0"}, r"groups, latent, outer_cells.* count up from 1"),
        ({"width": 1}, r"width from 2"),
        ({"flows": -1}, r"flows and pad from 0"),
        ({"shape": (6, 8)}, r"groups, with outer_blocks, divides .* by 4 .* 6x8: .* nearest that fits is 8x8"),
        ({"shape": (None,)}, r"NVAE reads pictures"),
        ({"bias_maps": "map"}, r"bias_maps is 'learned', 'shared' or 'none', got 'map'"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(wrong, message):
    right = {"shape": (4, 8), "groups": "1,1", "width": 4, "latent": 2}

    with pytest.raises(ValueError, match=message):
        NVAE(3, **{**right, **wrong})


def test_pictures_of_a_size_that_does_not_fit_are_refused_where_they_are_read():
    with pytest.raises(ValueError, match="nearest that fits is 4x4"):
        small().bottom_up(torch.zeros(1, 5, 4, 3), None)
