import math
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from golden import Tiny, check_against_the_recording, names

from lit_vae.backbones import VDVAE
from lit_vae.batch import Batch
from lit_vae.draws import FromPrior, from_posterior
from lit_vae.heads import LogisticPixelHead
from lit_vae.noise import StreamNoise

CONFIG = Path(__file__).parents[2] / "configs" / "vdvae_cifar.yaml"

TINY = {"enc_blocks": "8x2,8d2,4x1,4d4,1x1", "dec_blocks": "1x1,4m1,4x1,8m4,8x1"}

exactly = partial(pytest.approx, rel=1e-9)
"""The recordings that are quoted here have ten digits."""


@pytest.fixture(scope="module")
def tiny():
    backbone = VDVAE(3, (8, 8), **TINY, width=16, latent=4, input_mean=120.63838, input_std=64.16736)
    return Tiny(
        backbone, LogisticPixelHead(16, 256, (3, 8, 8), components=2), names("vdvae", backbone, ["encoder", "decoder"])
    )


def small(shape=(4, 8), **options):
    """A small model away from its initial values."""
    torch.manual_seed(0)
    made = VDVAE(3, shape, "4x1,4d2,2d2,1x1", "1x1,2m1,4m2", width=8, latent=2, **options)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def noise_of(backbone, shape):
    noise = StreamNoise(0)
    return [noise.normal((shape[0], *layer.shape)) for layer in backbone.layers(shape[1:])]


# ---- the reference's own numbers ----


def test_the_kl_of_each_layer_is_the_references(tiny):
    _, latents = tiny.reconstruct()

    sums = [latent.kl.sum().item() for latent in latents]
    assert sums == exactly([0.3474984881, 0.6774073342, 2.3941155, 9.994816648, 6.11166419])


def test_the_bound_is_the_references(tiny):
    distortion, kls = tiny.nats_per_dim()

    assert distortion.item() == exactly(6.159181043)
    assert kls.sum().item() == exactly(0.05084766188)
    assert (distortion + kls.sum()).item() == exactly(6.210028705)


def test_features_and_logits_are_the_references(tiny):
    features, _ = tiny.reconstruct()
    logits = tiny.logits(features)

    first = [0.06508971756, 0.08238354213, 0.09496542818, 0.09904556066]
    assert features[0, 0, :4, 0].tolist() == exactly(first)
    assert features.sum().item() == exactly(199.855521)
    assert logits[0, 0, 0, :4].tolist() == exactly([-0.1305672828, -0.2294198066, 0.004933397854, 0.07577632298])
    assert logits.sum().item() == exactly(-214.781446)


def test_samples_of_the_prior_are_the_references(tiny):
    features = tiny.sample()

    first = [0.05140208039, 0.06481296949, 0.07446560621, 0.07759394458]
    assert features[0, 0, :4, 0].tolist() == exactly(first)
    assert features.sum().item() == exactly(201.6246892)


def test_every_number_recorded_of_the_reference_is_ours_to_rounding(tiny):
    output = check_against_the_recording(tiny, "vdvae")
    features, latents = tiny.reconstruct()

    pairs = [
        *zip([latent.kl for latent in latents], output["per_layer_kl"], strict=True),
        (features, output["px"].movedim(1, -1)),
        (tiny.logits(features), output["logits"]),
        (tiny.sample(), output["uncond_px"].movedim(1, -1)),
        (tiny.nats_per_dim()[0], output["distortion"]),
        (tiny.nats_per_dim()[1].sum(), output["rate"]),
    ]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)


def configured():
    """The model and the head of the shipped configuration for CIFAR-10."""
    model = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["model"]
    assert model["backbone"]["class_path"] == "lit_vae.backbones.VDVAE"
    assert model["head"]["class_path"] == "lit_vae.heads.LogisticPixelHead"
    backbone = VDVAE(3, (32, 32), **model["backbone"]["init_args"])
    return backbone, LogisticPixelHead(backbone.width, 256, (3, 32, 32), **model["head"]["init_args"])


# ---- the first step ----


@torch.no_grad()
def test_the_published_model_starts_where_the_reference_does():
    torch.manual_seed(0)
    backbone, head = configured()
    head.output.reset_parameters()
    head.output.bias.zero_()
    batch = Batch(torch.randint(256, (1, 3, 32, 32)).to(torch.uint8), None, torch.arange(1))

    features, latents = backbone.top_down(
        backbone.bottom_up(head.embed(batch), None), [1, 32, 32], from_posterior, noise_of(backbone, [1, 32, 32]), None
    )
    rate = sum(latent.kl.item() for latent in latents) / 3072
    distortion = -head(features).log_prob(batch.x).item() / 3072

    assert rate == pytest.approx(0.0043, abs=2e-4)
    assert (distortion + rate) / math.log(2) == pytest.approx(9.08, abs=0.05)


@torch.no_grad()
def test_the_prior_starts_as_the_standard_normal_and_adds_nothing():
    backbone = VDVAE(3, (8, 8), **TINY, width=16, latent=4)
    block, state = backbone.decoder[2], torch.randn(2, 16, 4, 4)

    unchanged, prior, posterior = block.propose(state, None)

    assert torch.equal(unchanged, state)
    assert prior.loc.abs().max() == 0
    assert prior.log_scale.abs().max() == 0
    assert posterior is None


@torch.no_grad()
@pytest.mark.parametrize("form", ["exp", "softplus"])
def test_a_residual_posterior_is_relative_to_the_prior(form):
    state, seen = torch.randn(2, 2, 8, 2, 4)
    one, other = (small(scale_form=form, residual_posterior=residual).decoder[1] for residual in (False, True))

    (_, prior, absolute), (_, same, relative) = (block.propose(state, seen) for block in (one, other))

    torch.testing.assert_close(same.scale, prior.scale)
    torch.testing.assert_close(relative.mean, absolute.mean + prior.mean)
    torch.testing.assert_close(relative.scale, absolute.scale * prior.scale)


@torch.no_grad()
def test_scales_are_exponentials_or_a_softplus_with_a_slope_of_at_most_one():
    state = torch.randn(2, 8, 2, 4)

    (_, exp, _), (_, soft, _) = (small(scale_form=form).decoder[1].propose(state, None) for form in ("exp", "softplus"))

    torch.testing.assert_close(soft.scale, torch.log2(1 + 2**exp.log_scale))


def test_convolutions_that_add_to_a_stream_start_small_in_its_length_and_none_has_a_bias():
    torch.manual_seed(0)
    backbone = VDVAE(3, (8, 8), **TINY, width=256, latent=64)

    def largest(convolution):
        """The largest weight, in the largest that torch starts with."""
        return convolution.weight.abs().max().item() * math.sqrt(convolution.weight[0].numel())

    assert largest(backbone.encoder[0].cell.widen) == pytest.approx(math.sqrt(1 / 6), rel=0.02)
    assert largest(backbone.decoder[0].refine.widen) == pytest.approx(math.sqrt(1 / 5), rel=0.02)
    assert largest(backbone.decoder[0].project) == pytest.approx(math.sqrt(1 / 5), rel=0.02)
    assert largest(backbone.decoder[0].posterior.widen) == pytest.approx(1.0, rel=0.02)
    biases = [p for name, p in backbone.named_parameters() if name.endswith("bias") or name.endswith("map")]
    assert all(bias.abs().max() == 0 for bias in biases)
    assert (backbone.gain == 1).all()


# ---- shapes and options ----


@torch.no_grad()
def test_grey_levels_are_scaled_as_asked():
    plain, scaled = small(), small(input_mean=51.0, input_std=25.5)
    levels = torch.randint(256, (2, 4, 8, 3)).float()

    seen = scaled.bottom_up(levels / 127.5 - 1, None)
    expected = plain.bottom_up((levels - 51.0) / 25.5, None)

    for one, other in zip(seen, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("bias_maps", ["learned", "shared", "none"])
def test_a_model_runs_at_another_size(bias_maps):
    backbone = small((4, 8), bias_maps=bias_maps)

    features, latents = backbone.top_down(None, [2, 12, 4], FromPrior(), noise_of(backbone, [2, 12, 4]), None)

    assert features.shape == (2, 12, 4, 8)
    assert [latent.layer.name for latent in latents] == ["3x1.0", "6x2.0", "12x4.0"]
    assert backbone.bottom_up(torch.zeros(2, 12, 4, 3), None)[1].shape == (2, 8, 6, 2)


@torch.no_grad()
def test_maps_are_learned_for_each_position_or_shared_or_left_out():
    shapes = {
        form: [tuple(p.shape) for name, p in small(bias_maps=form).named_parameters() if name.endswith("map")]
        for form in ("learned", "shared", "none")
    }

    assert shapes["learned"] == [(1, 8, 1, 2), (1, 8, 2, 4), (1, 8, 4, 8)]
    assert shapes["shared"] == [(1, 8, 1, 1)] * 3
    assert shapes["none"] == [(1, 8, 1, 1)]
    assert [block.enter.bias is None for block in small(no_bias_above=2).decoder[1:]] == [False, True]


@torch.no_grad()
def test_channels_that_a_resolution_adds_start_at_zero_and_those_it_lacks_are_dropped():
    torch.manual_seed(0)
    backbone = VDVAE(3, (4, 4), "4d2,2d2,1x1", "1x1,2m1,4m2", width=8, widths={2: 12, 1: 16}, latent=2)
    x = torch.randn(1, 4, 4, 3)

    coarse = backbone.encoder[0](backbone.read(x.movedim(-1, 1)))
    entered = backbone.decoder[1].enter(torch.randn(1, 16, 1, 1))

    assert coarse.shape == (1, 12, 2, 2)
    assert coarse[:, 8:].abs().max() == 0
    assert entered.shape == (1, 12, 2, 2)
    assert backbone.bottom_up(x, None)[0].shape == (1, 16, 1, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"enc_blocks": "4y1"}, r"enc_blocks: '4y1' is neither RxN.*nor RdK"),
        ({"enc_blocks": "4m2"}, r"enc_blocks: '4m2' is neither"),
        ({"enc_blocks": "4x0"}, r"enc_blocks: '4x0' is neither"),
        ({"enc_blocks": "4d3,1x1"}, r"'4d3' leaves no whole resolution: divide by one of \[2, 4\]"),
        ({"enc_blocks": "4d2,1x1"}, r"a block at 1 follows where the resolution is 2: write 2"),
        ({"dec_blocks": "4x1"}, r"dec_blocks begins where enc_blocks ends: write 1x1"),
        ({"dec_blocks": "1x1,3m1,4m3"}, r"resolution 3 is none of enc_blocks': \[1, 2, 4\]"),
        ({"dec_blocks": "1x1,2x1,4m2"}, r"the first block at 2 comes from 1: write 2m1"),
        ({"dec_blocks": "1x1,2m1,4m1"}, r"'4m1' follows a block at 2: .* 4m2"),
        ({"dec_blocks": "1x1,2m1"}, r"ends at resolution 2, enc_blocks begins at 4: end it with 4m2"),
        ({"shape": (6, 8)}, r"enc_blocks divides the sides of a picture by 4 .* 6x8: .* nearest that fits is 8x8"),
        ({"shape": (None,)}, r"VDVAE reads pictures"),
        ({"widths": {3: 8}}, r"resolutions of enc_blocks below the first.*\[2, 1\]"),
        ({"widths": {2: 0}}, r"widths gives channels, from 1"),
        ({"bottleneck": 0.1}, r"at least 1 channel"),
        ({"input_std": 0.0}, r"input_std"),
        ({"scale_form": "tanh"}, r"scale_form is 'exp' or 'softplus'.*got 'tanh'"),
        ({"bias_maps": "map"}, r"bias_maps is 'learned', 'shared' or 'none', got 'map'"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(wrong, message):
    right = {"shape": (4, 8), "enc_blocks": "4x1,4d2,2d2,1x1", "dec_blocks": "1x1,2m1,4m2", "width": 8, "latent": 2}

    with pytest.raises(ValueError, match=message):
        VDVAE(3, **{**right, **wrong})


def test_pictures_of_a_size_that_does_not_fit_are_refused_where_they_are_read():
    backbone = small()

    with pytest.raises(ValueError, match="nearest that fits is 4x4"):
        backbone.bottom_up(torch.zeros(1, 5, 4, 3), None)
