"""import-checkpoint: a run of a reference system's weights."""

import argparse

import numpy as np
import pytest
import torch
from golden import formula
from PIL import Image

from lit_vae import LitVAE, backbones
from lit_vae.heads import BernoulliPixelHead, LogisticPixelHead, NormalPixelHead
from lit_vae.importing import SYSTEMS, translate

BACKBONES = {
    "vdvae": (
        "lit_vae.backbones.VDVAE",
        {"enc_blocks": "8x2,8d2,4x1,4d4,1x1", "dec_blocks": "1x1,4m1,4x1,8m4,8x1", "width": 16, "latent": 4},
    ),
    "evdvae": (
        "lit_vae.backbones.EfficientVDVAE",
        {"up_strides": [1, 2, 1], "down_n_blocks_per_res": [0, 1, 0], "width": 8, "latent": 4},
    ),
    "nvae": (
        "lit_vae.backbones.NVAE",
        {"groups": "2x2", "width": 8, "latent": 4, "encoder_cells": 1, "decoder_cells": 1, "flows": 1},
    ),
}


@pytest.fixture
def colours(cli):
    """A folder with pictures in colour, and a config for each system."""
    for number in range(20):
        pixels = np.random.default_rng(number).integers(256, size=(8, 8, 3), dtype=np.uint8)
        (cli.folder / "colours").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(cli.folder / "colours" / f"{number}.png")
    return cli


def config(cli, system):
    kind, sizes = BACKBONES[system]
    return cli.config(
        "pictures",
        model__backbone={"class_path": kind, "init_args": sizes},
        model__head={
            "class_path": "lit_vae.heads.LogisticPixelHead",
            "init_args": {"components": 2, "kernel_size": 3 if system == "nvae" else 1},
        },
        data={
            "class_path": "lit_vae.data.ImageFolderDataModule",
            "init_args": {"root": "colours", "size": [8, 8], "batch_size": 4},
        },
    )


def reference_of(system):
    """A state dict of the reference, its weights by a formula."""
    kind, sizes = BACKBONES[system]
    backbone = getattr(backbones, kind.rpartition(".")[2])(3, (8, 8), **sizes)
    head = LogisticPixelHead(backbone.width, 256, (3, 8, 8), components=2, kernel_size=3 if system == "nvae" else 1)
    ours = torch.nn.ModuleDict({"backbone": backbone, "head": head}).state_dict()
    lengths = torch.zeros(head.output.out_channels, 1, 1, 1)
    shapes = {name: ours.get(our, lengths).shape for name, our in SYSTEMS[system].names(backbone)}
    values = {name: formula(i, shape).float() for i, (name, shape) in enumerate(shapes.items())}
    return {name: value.abs() + 1 if name.endswith("running_var") else value for name, value in values.items()}


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_imported_run_is_evaluated_sampled_and_trained_on(colours, system):
    torch.save({"state_dict": reference_of(system)}, "published.pt")
    settings = config(colours, system)

    imported = colours("import-checkpoint", "published.pt", "--from", system, "--config", settings, "--out", "run")

    assert imported.err == ""
    assert "test --ckpt_path run" in imported.out
    assert colours("test", "--ckpt_path", "run").status == 0
    assert colours("sample", "--ckpt_path", "run", "--num", 2).status == 0
    assert colours("fit", "--ckpt_path", "run").status == 0
    assert (colours.folder / "samples.png").is_file()


def test_weights_arrive_where_their_names_say(colours):
    reference = reference_of("vdvae")
    torch.save({f"module.{name}": value for name, value in reference.items()}, "published.th")

    colours(
        "import-checkpoint", "published.th", "--from", "vdvae", "--config", config(colours, "vdvae"), "--out", "run"
    )

    state = LitVAE.load_from_checkpoint("run").state_dict()
    assert torch.equal(state["backbone.encoder.1.cell.widen.weight"], reference["encoder.enc_blocks.1.c4.weight"])
    assert torch.equal(state["backbone.decoder.3.enter.bias.map"], reference["decoder.bias_xs.2"])
    assert not torch.equal(state["head.output.bias"], reference["decoder.out_net.out_conv.bias"])
    assert torch.equal(
        state["head.output.bias"].sort().values, reference["decoder.out_net.out_conv.bias"].sort().values
    )


def test_weights_that_are_not_finite_are_not_imported(colours):
    reference = reference_of("vdvae")
    reference["decoder.bias_xs.2"].view(-1)[0] = float("nan")
    torch.save(reference, "published.th")
    settings = config(colours, "vdvae")

    answer = colours("import-checkpoint", "published.th", "--from", "vdvae", "--config", settings, "--out", "run")

    assert answer.status == 2
    assert "import-checkpoint published.th holds weights that are not finite, backbone.decoder.3.enter" in answer.err
    assert not (colours.folder / "run").exists()


@pytest.mark.parametrize(("words", "scale"), [([], 2.0), (["--weights", "ema"], 2.0), (["--weights", "raw"], 1.0)])
def test_of_averaged_and_trained_weights_either_can_be_had(colours, words, scale):
    raw = reference_of("evdvae")
    averaged = {name: 2 * value for name, value in raw.items()}
    torch.save({"global_step": 7, "model_state_dict": raw, "ema_model_state_dict": averaged}, "published.pth")

    colours(
        "import-checkpoint",
        "published.pth",
        "--from",
        "evdvae",
        "--config",
        config(colours, "evdvae"),
        "--out",
        "run",
        *words,
    )

    top = LitVAE.load_from_checkpoint("run").state_dict()["backbone.top.map"]
    assert torch.equal(top, scale * raw["top_down.trainable_h"])


def test_a_command_line_inside_a_checkpoint_is_read_without_running_it(colours):
    held = {"state_dict": reference_of("nvae"), "args": argparse.Namespace(epochs=400), "epoch": 3}
    torch.save(held, "published.pt")

    answer = colours(
        "import-checkpoint", "published.pt", "--from", "nvae", "--config", config(colours, "nvae"), "--out", "run"
    )

    assert answer.status == 0


@torch.no_grad()
def test_black_and_white_read_as_0_and_1_are_read_as_minus_1_and_1():
    sizes = BACKBONES["evdvae"][1]
    theirs, ours = (backbones.EfficientVDVAE(1, (8, 8), **sizes) for _ in range(2))
    head = BernoulliPixelHead(ours.width, 2, (1, 8, 8))
    state = torch.nn.ModuleDict({"backbone": theirs, "head": head}).state_dict()
    reference = {name: state[our] for name, our in SYSTEMS["evdvae"].names(theirs)}

    translated = translate(SYSTEMS["evdvae"], ours, head, reference)

    ours.load_state_dict({n.removeprefix("backbone."): v for n, v in translated.items() if n.startswith("backbone.")})
    x = torch.randint(2, (1, 8, 8, 1)).float()
    for seen, expected in zip(ours.bottom_up(2 * x - 1, None), theirs.bottom_up(x, None), strict=True):
        torch.testing.assert_close(seen, expected)


def test_a_model_of_few_grey_levels_has_another_grid_and_is_refused():
    backbone = backbones.VDVAE(3, (8, 8), **BACKBONES["vdvae"][1])

    with pytest.raises(ValueError, match="32 grey levels: vdvae was trained on another grid"):
        translate(SYSTEMS["vdvae"], backbone, LogisticPixelHead(16, 32, (3, 8, 8), components=2), {})


def test_a_head_whose_numbers_mean_something_else_is_refused():
    backbone = backbones.VDVAE(3, (8, 8), **BACKBONES["vdvae"][1])

    with pytest.raises(ValueError, match=r"model\.head is a NormalPixelHead, but .* a LogisticPixelHead"):
        translate(SYSTEMS["vdvae"], backbone, NormalPixelHead(16, 256, (3, 8, 8), components=2), {})


def test_a_model_without_what_the_reference_learns_is_refused_in_words():
    head = LogisticPixelHead(8, 256, (3, 8, 8), components=2, kernel_size=3)
    backbone = backbones.NVAE(3, (8, 8), **BACKBONES["nvae"][1], weight_norm=False)

    with pytest.raises(ValueError, match=r"lacks what the reference learns, such as backbone\..*log_length"):
        translate(SYSTEMS["nvae"], backbone, head, reference_of("nvae"))


class Trap:
    """Anything that unpickles by calling something."""

    def __reduce__(self):
        return print, ("caught",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.pt", "--from", "vdvae", "--out", "run"], "nothing.pt: there is no such file"),
        (["state.pt", "--from", "glow", "--out", "run"], "--from is one of vdvae, evdvae, nvae, got glow"),
        (["state.pt", "--from", "vdvae"], "expected import-checkpoint FILE --from SYSTEM --out RUN"),
        (
            ["state.pt", "--from", "vdvae", "--out", "run", "--weights", "best"],
            "--weights is one of ema, raw, got best",
        ),
        (["trap.pt", "--from", "vdvae", "--out", "run"], "torch.load with weights_only=True cannot read it"),
        (["list.pt", "--from", "vdvae", "--out", "run"], "expected a state dict, or one under ema_model_state_dict"),
        (["state.pt", "--from", "vdvae", "--out", "state.pt"], "state.pt exists"),
    ],
)
def test_what_can_not_be_imported_is_refused_in_words(colours, words, message):
    torch.save({"weight": torch.zeros(1)}, "state.pt")
    torch.save({"state_dict": Trap()}, "trap.pt")
    torch.save([1, 2], "list.pt")

    answer = colours("import-checkpoint", *words)

    assert answer.status == 2
    assert message in answer.err
    assert "caught" not in answer.out
    assert not (colours.folder / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("decoder.gain"), "it lacks 1, such as decoder.gain"),
        (lambda state: state.update(more=torch.zeros(1)), "has 1 more, such as more"),
        (
            lambda state: state.update({"decoder.gain": torch.zeros(1, 8, 1, 1)}),
            r"decoder.gain has shape [1, 8, 1, 1], where the config's model has [1, 16, 1, 1] (backbone.gain)",
        ),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused_by_name(colours, change, message):
    state = reference_of("vdvae")
    change(state)
    torch.save(state, "published.pt")

    answer = colours(
        "import-checkpoint", "published.pt", "--from", "vdvae", "--config", config(colours, "vdvae"), "--out", "run"
    )

    assert answer.status == 2
    assert message in answer.err
    assert "--config" in answer.err
    assert not (colours.folder / "run").exists()
