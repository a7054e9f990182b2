"""The packaged configs of published systems: each builds the published model and follows the published recipe."""

import json
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml
from golden import recorded
from jsonargparse import ArgumentParser

from lit_vae.backbones import NVAE
from lit_vae.cli import configs, preflight
from lit_vae.data import SymbolDataModule
from lit_vae.vae import LitVAE


class Published(NamedTuple):
    """What is known of a published model.

    Args:
        parameters: Of the whole model.
        layers: Latent layers.
        latents: Numbers in the latent layers of a picture.
        batch: Pictures to an update.
        steps: Updates.
        reference: Its name among the recorded configurations of Efficient-VDVAE.
    """

    parameters: int
    layers: int
    latents: int | None
    batch: int
    steps: int
    reference: str | None = None


PUBLISHED = {
    "vdvae_cifar": Published(39_145_700, 43, 412_432, 32, 1_000_000),
    "vdvae_imagenet32": Published(119_280_868, 78, 765_216, 256, 1_700_000),
    "vdvae_imagenet64": Published(125_005_860, 75, 1_451_040, 128, 1_600_000),
    "vdvae_ffhq256_5bit": Published(114_874_852, 66, 4_470_816, 32, 1_700_000),
    "vdvae_ffhq1024": Published(109_366_904, 70, 27_588_640, 32, 1_700_000),
    "evdvae_mnist": Published(69_858_145 + 61_440, 23, 72_352, 32, 200_000, "binarized_mnist_baseline"),
    "evdvae_cifar": Published(56_076_452 + 522_240, 47, 827_488, 32, 800_000, "cifar10_baseline"),
    "evdvae_cifar_c1": Published(18_031_860 + 92_160, 47, 413_744, 32, 800_000, "cifar10_C1"),
    "evdvae_imagenet32": Published(144_372_068 + 696_320, 73, 771_776, 64, 800_000, "imagenet32_baseline"),
    "evdvae_imagenet32_c1": Published(52_166_436 + 122_880, 73, 1_157_664, 64, 800_000, "imagenet32_C1"),
    "evdvae_imagenet32_compact": Published(19_499_748 + 61_440, 73, 771_776, 64, 800_000, "imagenet32_compact"),
    "evdvae_imagenet64": Published(165_574_116 + 2_793_472, 84, 2_213_568, 32, 800_000, "imagenet64_baseline"),
    "evdvae_imagenet64_c1": Published(56_582_948 + 417_792, 84, 4_427_136, 32, 800_000, "imagenet64_C1"),
    "evdvae_imagenet64_compact": Published(42_296_388 + 253_952, 84, 2_213_568, 32, 800_000, "imagenet64_compact"),
    "evdvae_celeba64": Published(128_608_740 + 2_793_472, 62, 3_514_432, 16, 800_000, "celebA64_baseline"),
    "evdvae_celeba64_compact": Published(25_172_836 + 253_952, 62, 3_514_432, 16, 800_000, "celebA64_compact"),
    "evdvae_celebahq256_5bit": Published(
        152_940_644 + 44_736_512, 66, 8_941_632, 16, 500_000, "celebAHQ256_5bits_baseline"
    ),
    "evdvae_ffhq256_5bit": Published(152_940_644 + 44_736_512, 66, 8_941_632, 16, 900_000, "ffhq256_5bits_baseline"),
    "evdvae_ffhq256_5bit_c1": Published(55_653_956 + 11_378_688, 66, 8_941_632, 16, 900_000, "ffhq256_5bits_C1"),
    "evdvae_celebahq256_8bit": Published(
        164_136_932 + 44_736_512, 69, 43_442_304, 8, 800_000, "celebAHQ256_8bits_baseline"
    ),
    "evdvae_ffhq256_8bit": Published(164_136_932 + 44_736_512, 69, 43_442_304, 8, 900_000, "ffhq256_8bits_baseline"),
    "evdvae_celebahq256_8bit_compact": Published(
        67_129_092 + 4_104_192, 69, 43_442_304, 8, 800_000, "celebAHQ256_8bits_compact"
    ),
    "evdvae_ffhq256_8bit_compact": Published(
        67_129_092 + 4_104_192, 69, 43_442_304, 8, 900_000, "ffhq256_8bits_compact"
    ),
    "evdvae_celebahq1024": Published(59_182_180 + 16_687_104, 72, 395_468_928, 8, 900_000, "celebAHQ1024_baseline"),
    "evdvae_ffhq1024": Published(59_182_180 + 16_687_104, 72, 395_468_928, 8, 900_000, "ffhq1024_baseline"),
    "nvae_mnist": Published(33_363_134, 15, None, 400, 60_000),
    "nvae_cifar": Published(130_852_480, 30, None, 256, 78_000),
    "nvae_cifar_no_flow": Published(129_215_680, 30, None, 256, 78_000),
    "nvae_celeba64": Published(153_281_364, 35, None, 128, 114_390),
    "nvae_imagenet32": Published(268_509_444, 28, None, 576, 100_080),
    "nvae_celebahq256_5bit": Published(330_798_664, 36, None, 96, 84_300),
    "nvae_ffhq256_5bit": Published(330_798_664, 36, None, 96, 131_200),
}
"""Efficient-VDVAE's parameters are those of convolutions plus those of maps."""

EVERY = pytest.mark.parametrize("name", PUBLISHED)
EFFICIENT = pytest.mark.parametrize("name", [name for name, known in PUBLISHED.items() if known.reference])


@cache
def config(name):
    """A packaged config as it is written."""
    return yaml.safe_load(configs.resolve(name).read_text(encoding="utf-8"))


@cache
def built(name):
    """The model and the data module of a packaged config, without memory."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(LitVAE, "model")
    parser.add_subclass_arguments(SymbolDataModule, "data")
    for source, target in {
        "data.num_values": "model.head.init_args.num_values",
        "data.shape": "model.head.init_args.shape",
        "model.head.embed_width": "model.backbone.init_args.embed_width",
        "model.head.positions": "model.backbone.init_args.shape",
    }.items():
        parser.link_arguments(source, target, apply_on="instantiate")
    parser.link_arguments("model.backbone.init_args.width", "model.head.init_args.width", apply_on="parse")
    with torch.device("meta"):
        made = parser.instantiate(parser.parse_object({part: config(name)[part] for part in ("model", "data")}))
    return made.model, made.data


def rates(scheduler, steps):
    """Learning rates of some updates, found without those between them."""
    found = []
    for step in steps:
        scheduler.last_epoch = step
        found.append(scheduler.get_lr()[0])
    return found


def test_every_published_configuration_is_packaged():
    systems = [
        name.removesuffix(".yaml") for name in configs.names() if name.startswith(("vdvae_", "evdvae_", "nvae_"))
    ]

    assert {name for name in systems if not name.endswith("_small")} == set(PUBLISHED)
    references = [known.reference for known in PUBLISHED.values() if known.reference]
    assert sorted(references) == sorted(json.loads(recorded("evdvae_configs.json").read_text()))


@EVERY
def test_the_docs_name_it_with_its_size(name):
    rows = (Path(__file__).parents[1] / "docs" / "published_models.md").read_text(encoding="utf-8").splitlines()
    (row,) = (row.split(" | ") for row in rows if f"`{name}`" in row)

    known = PUBLISHED[name]
    assert row[2:6] == [f"{known.parameters:,}", str(known.layers), str(known.batch), f"{known.steps:,}"]


@EVERY
def test_the_model_has_the_published_size(name):
    model, _ = built(name)
    shapes = [layer.shape for layer in model.layers(model.head.positions)]

    # NVAE learns the length of each output channel's weights in the head apart; a head here does not.
    lengths = model.head.output.out_channels if isinstance(model.backbone, NVAE) else 0
    assert sum(weight.numel() for weight in model.parameters()) + lengths == PUBLISHED[name].parameters
    assert len(shapes) == PUBLISHED[name].layers
    assert PUBLISHED[name].latents in (None, sum(map(math.prod, shapes)))


@EVERY
def test_an_update_sees_as_many_pictures_and_there_are_as_many_updates_as_published(name):
    trainer, data = config(name)["trainer"], config(name)["data"]["init_args"]

    assert data["batch_size"] * trainer.get("accumulate_grad_batches", 1) == PUBLISHED[name].batch
    assert trainer["max_steps"] == PUBLISHED[name].steps


@EVERY
def test_the_learning_rate_rises_from_a_small_one_and_ends_at_its_floor(name):
    model, _ = built(name)
    settings = config(name)["model"]["scheduler"]["init_args"]

    made = model.configure_optimizers()
    steps = [0, settings["warmup"], PUBLISHED[name].steps]
    first, highest, last = rates(made["lr_scheduler"]["scheduler"], steps)

    peak = float(config(name)["model"]["optimizer"]["init_args"]["lr"])
    assert first == pytest.approx(peak / settings["warmup"])
    assert highest == pytest.approx(peak)
    assert last == pytest.approx(float(settings.get("floor", peak)))


@EVERY
def test_pictures_of_another_set_or_of_fewer_bits_say_so_in_the_name(name):
    _, data = built(name)

    assert data.num_values == (2 if "mnist" in name else 32 if "5bit" in name else 256)
    assert data.symbols.name.endswith(", 5 bits") == ("5bit" in name)
    if "imagenet" in name:
        assert data.version == ("box" if name.startswith("evdvae") else "small")
    assert data.flip == (not name.startswith("vdvae") and "mnist" not in name)


def expanded(value):
    """A recorded list in full."""
    return [number for number, count in value["runs"] for _ in range(count)] if isinstance(value, dict) else value


@EFFICIENT
def test_efficient_vdvae_is_built_from_the_published_lists(name):
    reference = json.loads(recorded("evdvae_configs.json").read_text())[PUBLISHED[name].reference]
    recipe = {key: expanded(value) for key, value in reference["model"].items()}
    model, data = built(name)
    backbone, head = model.backbone, model.head

    assert {data.shape[1], data.shape[1] + 2 * backbone.margin.pixels} >= {reference["data"]["target_res"]}
    assert data.shape[0] == reference["data"]["channels"]
    assert backbone.levels.latent == recipe["down_latent_variates"][0]
    assert [level.pool[0].stride[0] if len(level.pool) else 1 for level in backbone.encoder] == recipe["up_strides"]
    assert [len(level.cells) - 1 for level in backbone.encoder] == recipe["up_n_blocks_per_res"]
    assert [level.skip.out_channels for level in backbone.encoder] == recipe["up_skip_filters"]
    cells = [level.cells[0] for level in backbone.encoder]
    assert [cell.first.kernel_size[0] for cell in cells] == recipe["up_kernel_size"]
    ratios = [cell.narrow.out_channels / cell.narrow.in_channels for cell in cells]
    assert ratios == recipe["up_mid_filters_ratio"]
    assert backbone.decoder[0].link.beta == recipe["gradient_smoothing_beta"]
    assert backbone.decoder[0].residual == recipe["use_residual_distribution"]
    if reference["data"]["channels"] == 3:
        assert head.layout.components == recipe["num_output_mixtures"]
        assert head.link.form == {"std": "softplus", "logstd": "exp"}[recipe["output_distribution_base"]]
        assert head.link.form == "exp" or head.link.beta == recipe["output_gradient_smoothing_beta"]
        assert head.link.floor == max(reference["loss"]["min_mol_logscale"], -30)


@EFFICIENT
def test_efficient_vdvae_is_trained_by_the_published_recipe(name):
    reference = json.loads(recorded("evdvae_configs.json").read_text())[PUBLISHED[name].reference]
    loss, recipe, training = reference["loss"], reference["optimizer"], reference["train"]
    model, _ = built(name)
    trainer, written = config(name)["trainer"], config(name)["model"]

    for step in (0, 21, 300, 2500, 10_000):
        warmth = (step - loss["vae_beta_anneal_start"]) / (
            loss["vae_beta_anneal_start"] + loss["vae_beta_anneal_steps"]
        )
        weight = model.objective.kl_weight(step, torch.zeros(2, dtype=torch.float64))
        assert weight.item() == pytest.approx(min(1.0, max(loss["vae_beta_min"], warmth)))
    assert model.objective.balance.steps == loss["gamma_max_steps"]
    assert written["optimizer"] == {"class_path": f"torch.optim.{recipe['type']}", "init_args": {"lr": "1e-3"}}
    schedule = written["scheduler"]["init_args"]
    assert schedule["warmup"] == recipe["warmup_steps"]
    assert (schedule["decay_start"], schedule["decay_steps"]) == (recipe["decay_start"], recipe["decay_steps"])
    assert float(schedule["floor"]) == recipe["min_learning_rate"]
    clip = recipe["gradient_clip_norm_value"] if recipe["clip_gradient_norm"] else None
    assert trainer.get("gradient_clip_val") == clip
    assert trainer["callbacks"][0]["init_args"]["decay"] == training["ema_decay"]


def test_parts_of_the_published_models_have_their_sizes():
    vdvae, nvae = (built(name)[0].backbone for name in ("vdvae_cifar", "nvae_celeba64"))

    read = [*vdvae.read.parameters(), *vdvae.encoder.parameters()]
    assert sum(weight.numel() for weight in read) == 7_497_888
    assert [layer.shape[0] for layer in nvae.layers((64, 64))] == [8] * 5 + [16] * 10 + [32] * 20


@pytest.mark.parametrize("name", configs.names())
def test_classes_and_arguments_that_a_packaged_config_names_are_there(name):
    preflight.check(preflight.read(configs.resolve(name)), name)
