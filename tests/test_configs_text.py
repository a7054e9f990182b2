"""The packaged configs of published text models: sizes, losses and learning rates are those of the protocols."""

import copy
from functools import cache

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser

from lit_vae.backbones import BatchNormPosterior
from lit_vae.callbacks import Stages
from lit_vae.cli import configs
from lit_vae.schedules import LatePlateau
from lit_vae.vae import LitVAE

SYMBOLS = 10_002
"""Of the Penn Treebank under the protocol."""

SENTENCES = 42_068
SIZE = 8_791_552
"""Parameters of He et al.'s encoder and decoder at Li et al.'s sizes; 10,002 symbols."""

BIASES = SYMBOLS + 256
"""Of the output layer and the initial state, which they do without."""

EVERY = pytest.mark.parametrize("name", ["ptb_lstm", "ptb_freebits", "ptb_bn"])


@cache
def written(name):
    return yaml.safe_load(configs.resolve(name).read_text(encoding="utf-8"))


@cache
def built(name):
    """The model of a packaged config for the Penn Treebank, without memory."""
    model = copy.deepcopy(written(name)["model"])
    width = model["backbone"]["init_args"]["width"]
    model["head"]["init_args"] |= {"num_values": SYMBOLS, "shape": [None], "width": width}
    model["backbone"]["init_args"] |= {"embed_width": 256, "shape": [None]}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(LitVAE, "model")
    with torch.device("meta"):
        return parser.instantiate(parser.parse_object({"model": model})).model


@EVERY
def test_the_model_has_the_published_size(name):
    model = built(name)

    normed = isinstance(model.backbone.posterior, BatchNormPosterior)
    start = model.head.reader.start.numel()  # beside the vocabulary, where theirs has its own symbol in it as well
    own = 2 * 32 + 32 if normed else 0  # bias of means and log-scales, and the learned centre
    assert sum(weight.numel() for weight in model.parameters()) == SIZE + BIASES + start + own
    assert (model.head.dropout_in, model.head.dropout_out) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "rate", "patience"),
    [("ptb_lstm", 1.0, 2), ("ptb_lm", 1.0, 2), ("ptb_freebits", 0.5, 5), ("ptb_bn", 0.5, 5)],
)
def test_the_rate_is_halved_on_a_plateau_but_not_in_the_first_fifteen_epochs(name, rate, patience):
    model = written(name)["model"]

    assert model["optimizer"] == {"class_path": "torch.optim.SGD", "init_args": {"lr": rate}}
    assert model["scheduler"]["class_path"] == f"{LatePlateau.__module__}.{LatePlateau.__name__}"
    schedule = LatePlateau(
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], rate), **model["scheduler"]["init_args"]
    )
    assert (schedule.monitor, schedule.factor, schedule.validations, schedule.first) == ("val/nelbo", 0.5, patience, 15)


@EVERY
def test_the_kl_counts_in_full_after_ten_epochs_of_batches_of_thirty_two(name):
    config, objective = written(name), built(name).objective

    batch = config["data"]["init_args"]["batch_size"]
    assert (objective.per, batch) == ("example", 32)
    assert objective.kl_weight.start == (0.1 if name == "ptb_lstm" else 0.0)
    assert objective.kl_weight.steps == pytest.approx(10 * SENTENCES / batch, rel=1e-3)
    assert (config["trainer"]["gradient_clip_val"], config["trainer"]["max_epochs"]) == (5.0, 100)


def test_free_bits_are_eight_nats_over_the_dimensions_of_each_example_after_an_autoencoder():
    floor = built("ptb_freebits").objective.free_bits
    (callback,) = written("ptb_freebits")["trainer"]["callbacks"]
    first, last = callback["init_args"]["stages"]

    assert (32 * floor.nats, floor.group, floor.of) == (8.0, "dimension", "example")
    assert callback["class_path"].endswith(Stages.__name__)
    assert first["objective"]["init_args"] == {"per": "example", "kl_weight": 0.0}
    assert last == {"reset": "decoder"}


def test_the_spread_of_batch_normalised_means_is_the_papers():
    assert built("ptb_bn").backbone.posterior.gamma == 0.6


@pytest.mark.parametrize("name", ["ptb_transformer", "ptb_hierarchical"])
def test_the_rate_of_the_transformers_ends_with_the_run(name):
    config, schedule = written(name), built(name).configure_optimizers()["lr_scheduler"]["scheduler"]

    updates = SENTENCES / config["data"]["init_args"]["batch_size"] * config["trainer"]["max_epochs"]
    assert schedule.decay_start + schedule.decay_steps == pytest.approx(updates, rel=1e-3)
    assert built(name).objective.kl_weight.steps == schedule.decay_start


@pytest.mark.parametrize("name", ["ptb_freebits", "ptb_transformer", "ptb_hierarchical"])
def test_the_vector_of_a_sentence_has_eight_free_nats(name):
    model = built(name)

    top = model.backbone.layers([20])[0]
    assert model.objective.free_bits.nats * top.shape[-1] == 8.0


@pytest.mark.parametrize(("overlay", "schedule"), [("cyclical", "Cyclical"), ("target_kl", "TargetKL")])
def test_an_overlay_sets_the_schedule_of_its_name_and_no_floor_beside_it(overlay, schedule):
    arguments = written(f"overlays/{overlay}")["model"]["objective"]["init_args"]

    assert arguments["kl_weight"]["class_path"] == f"lit_vae.objectives.{schedule}"
    assert arguments["free_bits"] is None
