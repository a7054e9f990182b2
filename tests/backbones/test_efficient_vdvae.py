import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from golden import Tiny, check_against_the_recording, names, recorded

from lit_vae.backbones import EfficientVDVAE
from lit_vae.batch import Batch
from lit_vae.draws import FromPrior, from_posterior
from lit_vae.heads import LogisticPixelHead
from lit_vae.noise import StreamNoise
from lit_vae.objectives import ELBO, GammaBalance, Linear

CONFIG = Path(__file__).parents[2] / "configs" / "evdvae_cifar.yaml"
BETA = 0.6931472

TINY = {
    "up_strides": [1, 2, 1, 4, 1],
    "up_filters": [8, 16, 16, 24, 24],
    "up_mid_filters_ratio": [1.0, 1.0, 0.5, 0.5, 0.5],
    "up_kernel_size": [3, 3, 3, 3, 1],
    "up_n_blocks_per_res": [1, 0, 0, 0, 0],
    "down_n_blocks_per_res": [0, 0, 1, 0, 1],
}

exactly = partial(pytest.approx, rel=1e-9)
"""The recordings that are quoted here have ten digits."""


SECTIONS = (
    "bottom_up.levels_up.",
    "bottom_up.levels_up_downsample.",
    "bottom_up.input_conv",
    "top_down.trainable_h",
    "top_down.levels_down.",
    "top_down.levels_down_upsample.",
    "top_down.output_conv",
)
"""Extra cells and layers come first in the reference."""


@pytest.fixture(scope="module")
def tiny():
    backbone = EfficientVDVAE(3, (8, 8), **TINY, width=8, latent=4)
    head = LogisticPixelHead(8, 256, (3, 8, 8), 2, scale_form="softplus", softplus_beta=BETA, log_scale_floor=-30.0)
    return Tiny(backbone, head, names("evdvae", backbone, SECTIONS))


def small(shape=(4, 8), **options):
    """A small model away from its initial values."""
    torch.manual_seed(0)
    made = EfficientVDVAE(3, shape, "1,2,2,1", width=8, up_mid_filters_ratio=0.5, latent=2, **options)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def noise_of(backbone, shape):
    noise = StreamNoise(0)
    return [noise.normal((shape[0], *layer.shape)) for layer in backbone.layers(shape[1:])]


def reconstructed(backbone, x):
    shape = x.shape[:-1]
    return backbone.top_down(backbone.bottom_up(x, None), shape, from_posterior, noise_of(backbone, shape), None)


# ---- the reference's own numbers ----


def test_the_kl_of_each_layer_is_the_references(tiny):
    _, latents = tiny.reconstruct()

    bits = [latent.kl_elements.mean().item() / math.log(2) for latent in latents]
    assert bits == exactly(
        [
            0.02580659418,
            0.01718230041,
            0.02126005595,
            0.03641581625,
            0.01465513306,
            0.02693217354,
            0.006647570801,
        ]
    )


def test_the_bound_is_the_references(tiny):
    distortion, kls = tiny.nats_per_dim()

    assert distortion.item() / math.log(2) == exactly(9.241355277)
    assert kls.sum().item() / math.log(2) == exactly(0.08980353145)


@torch.no_grad()
def loss_at(tiny, step):
    """The loss under the published objective: the KL warmed up, and early on balanced."""
    objective = ELBO("symbol", Linear(5021, delay=21, floor=1e-4), balance=GammaBalance(10_000))
    features, latents = tiny.reconstruct()
    return objective(tiny.head(features).log_prob(tiny.batch.x), latents, tiny.batch.counts, step).loss


@pytest.mark.parametrize(("step", "loss"), [(1, 6.405625928), (5000, 6.470808026), (20000, 6.467866419)])
def test_losses_are_the_references(tiny, step, loss):
    assert loss_at(tiny, step).item() == exactly(loss)


def test_logits_are_the_references(tiny):
    logits = tiny.logits(tiny.reconstruct()[0])

    first = [0.9078579661, 0.008945429743, -0.724075526, -0.9113623335]
    assert logits[0, 0, :4, 0].tolist() == exactly(first)
    assert logits.sum().item() == exactly(55.26242131)


def test_samples_of_the_prior_are_the_references(tiny):
    logits = tiny.logits(tiny.sample())

    first = [0.6960018364, 0.03967813048, -0.4780707708, -0.5916529536]
    assert logits[0, 0, :4, 0].tolist() == exactly(first)
    assert logits.sum().item() == exactly(66.24201136)


def test_every_number_recorded_of_the_reference_is_ours_to_rounding(tiny):
    output = check_against_the_recording(tiny, "evdvae")
    features, latents = tiny.reconstruct()

    pairs = [
        (tiny.logits(features), output["logits"].movedim(1, -1)),
        (tiny.logits(tiny.sample()), output["uncond"].movedim(1, -1)),
        *((loss_at(tiny, step), output[f"step{step}"]["total_loss_nats"]) for step in (1, 5000, 20000)),
    ]
    for latent, posterior, prior in zip(latents, output["post"], output["prior"], strict=True):
        for ours, (mean, std) in ((latent.posterior, posterior), (latent.prior, prior)):
            pairs += [(ours.mean, mean.movedim(1, -1)), (ours.scale, std.movedim(1, -1))]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)


def expanded(value):
    """A recorded list in full."""
    return [number for number, count in value["runs"] for _ in range(count)] if isinstance(value, dict) else value


def test_published_lists_follow_from_those_that_are_arguments():
    for configuration in json.loads(recorded("evdvae_configs.json").read_text()).values():
        model = {key: expanded(value) for key, value in configuration["model"].items()}
        widths = [model["input_conv_filters"], *model["up_filters"][:-1]]

        assert model["up_skip_filters"] == widths
        assert model["down_filters"] == widths[::-1]
        for key in ("strides", "mid_filters_ratio", "kernel_size"):
            assert model[f"down_{key}"] == model[f"up_{key}"][::-1]
        assert {*model["up_n_layers"], *model["down_n_layers"]} == {2}
        assert {*model["up_n_blocks"], *model["down_n_blocks"]} == {1}


def configured():
    """The model and the head of the shipped configuration for CIFAR-10."""
    model = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["model"]
    assert model["backbone"]["class_path"] == "lit_vae.backbones.EfficientVDVAE"
    assert model["head"]["class_path"] == "lit_vae.heads.LogisticPixelHead"
    backbone = EfficientVDVAE(3, (32, 32), **model["backbone"]["init_args"])
    return backbone, LogisticPixelHead(backbone.width, 256, (3, 32, 32), **model["head"]["init_args"])


# ---- the first step ----


@torch.no_grad()
def test_the_published_model_starts_where_the_reference_does():
    torch.manual_seed(0)
    backbone, head = configured()
    torch.nn.init.xavier_uniform_(head.output.weight)
    head.output.bias.zero_()
    batch = Batch(torch.randint(256, (1, 3, 32, 32)).to(torch.uint8), None, torch.arange(1))

    features, latents = reconstructed(backbone, head.embed(batch))
    rate = sum(latent.kl.item() for latent in latents) / 3072 / math.log(2)
    distortion = -head(features).log_prob(batch.x).item() / 3072 / math.log(2)

    assert rate == pytest.approx(0.023, abs=0.003)
    assert distortion + rate == pytest.approx(9.10, abs=0.08)


def test_convolutions_start_as_in_the_reference():
    torch.manual_seed(0)
    backbone = EfficientVDVAE(3, (8, 8), **TINY | {"up_filters": [96, 256, 256, 256, 256]}, width=96, latent=64)

    def largest(convolution):
        """The largest weight, in the largest of Glorot's."""
        fans = torch.nn.init._calculate_fan_in_and_fan_out(convolution.weight)
        return convolution.weight.abs().max().item() / math.sqrt(6 / sum(fans))

    layer = backbone.decoder[1]
    for convolution in (layer.to_prior, layer.posterior.widen, layer.refine.first, backbone.encoder[1].pool[0]):
        assert largest(convolution) == pytest.approx(1.0, rel=0.02)
        assert convolution.bias.abs().max() == 0
    for convolution in (layer.project, layer.refine.widen, backbone.encoder[2].cells[0].widen):
        assert largest(convolution) == pytest.approx(math.sqrt(1 / 7), rel=0.02)
    narrow = layer.prior.narrow
    assert narrow.weight.abs().max().item() == pytest.approx(math.sqrt(1 / 256), rel=0.02)
    assert narrow.bias.abs().max() > 0
    assert backbone.top.map.abs().max().item() == pytest.approx(math.sqrt(3 / 256), rel=0.02)
    assert layer.enter.bias.map.abs().max() == 0


# ---- shapes and options ----


@torch.no_grad()
def test_a_residual_posterior_is_relative_to_the_prior():
    x = torch.randn(2, 4, 8, 3)
    (_, absolute), (_, relative) = (reconstructed(small(residual_posterior=r), x) for r in (False, True))

    one, other = absolute[0], relative[0]
    torch.testing.assert_close(other.prior.mean, one.prior.mean)
    torch.testing.assert_close(other.posterior.mean, one.posterior.mean + one.prior.mean)
    torch.testing.assert_close(other.posterior.scale, one.posterior.scale * one.prior.scale)


@torch.no_grad()
@pytest.mark.parametrize("bias_maps", ["learned", "shared", "none"])
def test_a_model_runs_at_another_size(bias_maps):
    backbone = small((4, 8), bias_maps=bias_maps)

    features, latents = backbone.top_down(None, [2, 12, 4], FromPrior(), noise_of(backbone, [2, 12, 4]), None)

    assert features.shape == (2, 12, 4, 8)
    assert [latent.layer.name for latent in latents] == ["3x1.0", "6x2.0", "12x4.0", "12x4.1"]
    assert backbone.bottom_up(torch.zeros(2, 12, 4, 3), None)[-1].shape == (2, 8, 12, 4)


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


@torch.no_grad()
def test_a_padded_model_is_the_references_on_the_picture_in_a_black_frame(tiny):
    backbone = EfficientVDVAE(3, (4, 4), **TINY, width=8, latent=4, pad=2).double()
    head = LogisticPixelHead(
        8, 256, (3, 4, 4), 2, scale_form="softplus", softplus_beta=BETA, log_scale_floor=-30.0
    ).double()
    backbone.load_state_dict(tiny.backbone.state_dict())
    head.load_state_dict(tiny.head.state_dict())
    batch = Batch(tiny.batch.x[..., 2:-2, 2:-2], None, torch.arange(2))
    framed = Batch(torch.nn.functional.pad(batch.x, [2] * 4), None, batch.index)
    inside = torch.zeros(2, 3, 8, 8, dtype=torch.bool)
    inside[..., 2:-2, 2:-2] = True

    context = backbone.bottom_up(head.embed(batch), None)
    features, latents = backbone.top_down(context, [2, 4, 4], from_posterior, tiny.noise, None)
    context = tiny.backbone.bottom_up(tiny.head.embed(framed), None)
    expected, of_framed = tiny.backbone.top_down(context, [2, 8, 8], from_posterior, tiny.noise, None)

    ours, theirs = head(features).log_prob(batch.x), tiny.head(expected, inside).log_prob(framed.x)
    torch.testing.assert_close(ours, theirs, atol=0, rtol=1e-12)
    for latent, other in zip(latents, of_framed, strict=True):
        torch.testing.assert_close(latent.kl, other.kl, atol=0, rtol=1e-12)


def test_one_number_and_runs_and_a_list_say_the_same():
    state = small(up_kernel_size="3x4", up_filters=8, down_n_blocks_per_res="0,1,0x2").state_dict()

    other = small(up_kernel_size=[3, 3, 3, 3], up_filters="8x4", down_n_blocks_per_res=[0, 1, 0, 0]).state_dict()

    assert state.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in state.items())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"up_strides": "1,2y3"}, r"up_strides: '2y3' is neither a number nor a run"),
        ({"up_strides": "1,2x-1,1"}, r"up_strides: '2x-1' is neither a number nor a run"),
        ({"up_strides": "1,2x,1"}, r"up_strides: '2x' is neither a number nor a run"),
        ({"up_strides": "nan,1"}, r"up_strides: 'nan' is neither a number nor a run"),
        ({"up_strides": []}, r"up_strides count up from 1 and end with a 1"),
        ({"up_strides": "1,2,2"}, r"up_strides count up from 1 and end with a 1"),
        ({"up_filters": "8x3"}, r"up_filters has 3 entries, up_strides has 4"),
        ({"up_filters": "16x4"}, r"changes from 8 to 16 after level 0, whose stride is 1: .* write 8 there"),
        ({"up_kernel_size": 2}, r"up_kernel_size is odd"),
        ({"up_kernel_size": "2.5x4"}, r"up_kernel_size holds 2.5, the nearest whole number is 2"),
        ({"up_mid_filters_ratio": 0.01}, r"leaves at least one channel"),
        ({"softplus_beta": 0.0}, r"softplus_beta is above 0, got 'softplus' and 0.0"),
        ({"scale_form": "tanh"}, r"scale_form is 'exp' or 'softplus'.*got 'tanh'"),
        ({"pad": -1}, r"pad count up from 0"),
        ({"latent": 0}, r"latent and up_filters count up from 1"),
        ({"shape": (4, 10)}, r"up_strides divides the sides of a picture by 4 .* 4x10: .* nearest that fits is 4x8"),
        ({"pad": 1}, r"by 4 in all, but the pictures are 4x8, 6x10 with pad 1 around them.* nearest that fits is 6x6"),
        ({"shape": (None,)}, r"EfficientVDVAE reads pictures"),
        ({"bias_maps": "map"}, r"bias_maps is 'learned', 'shared' or 'none', got 'map'"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(wrong, message):
    right = {"shape": (4, 8), "up_strides": "1,2,2,1", "width": 8, "latent": 2}

    with pytest.raises(ValueError, match=message):
        EfficientVDVAE(3, **{**right, **wrong})
