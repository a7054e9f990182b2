"""The verbs that show what a model learned: sample, reconstruct."""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from lit_vae.batch import Batch
from lit_vae.cli.call import call, data_of
from lit_vae.cli.output import deliver, target
from lit_vae.cli.portion import portion
from lit_vae.data import AnySplit, SymbolDataModule
from lit_vae.decoding import Decoding
from lit_vae.draws import FromPrior, Masked, TopLayers, check_temperature, most_informative, posterior_mean
from lit_vae.latents import Draw
from lit_vae.vae import LitVAE

MEASURED = 128
"""Most examples of the validation split over which the information of latent variables is measured."""


def sample(words: list[str]) -> None:
    """Draw from a model's prior."""
    call("sample", show_samples, words)


def reconstruct(words: list[str]) -> None:
    """Show examples beside their reconstructions."""
    call("reconstruct", show_reconstructions, words, data_of(words))


def show_samples(
    ckpt_path: str,
    out: str | None = None,
    num: int = 64,
    temperature: float | dict[str, float] = 1.0,
    head_temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    beams: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Draw from a model's prior: one picture grid, or texts on the screen.

    Args:
        ckpt_path: A run directory, whose best checkpoint is taken, or a checkpoint.
        out: The file to write, .png for pictures, .txt for texts; unless named, pictures go to samples.png and texts to
            the screen.
        num: How many.
        temperature: Multiplies the standard deviation of the prior; below 1 is more typical and less varied. A number,
            or one for each latent layer or resolution that is named: '{4x4: 0.8, others: 1}'.
        head_temperature: Of the decoder's distribution; 0 is greedy.
        top_k: For texts: choose only among so many most probable tokens.
        top_p: For texts: choose only among the most probable tokens whose mass reaches this.
        beams: For texts: search for the most probable text, keeping so many.
        seed: Other seeds, other samples.
        overwrite: Replace an existing file.
        json: Print for a machine.
    """
    vae = LitVAE.load_from_checkpoint(ckpt_path)
    if num < 1:
        raise ValueError(f"--num counts up from 1, got {num}")
    path = target(out, "samples", vae.symbols.suffix, overwrite)
    decoding = Decoding(head_temperature, top_k, top_p, beams)
    deliver(vae.sample(num, temperature, decoding, seed), path, json)


def show_reconstructions(
    ckpt_path: str,
    data: SymbolDataModule,
    out: str | None = None,
    num: int | None = None,
    split: AnySplit = "test",
    layers: int | None = None,
    keep: float | None = None,
    temperature: float | dict[str, float] = 0.0,
    seed: int = 0,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Show examples beside their reconstructions: the posterior's mean, decoded greedily.

    With --layers or --keep, beside what a part of the latent variables tells; the prior gives the others.

    Args:
        ckpt_path: A run directory, whose best checkpoint is taken, or a checkpoint.
        data: Where the examples come from; the run's own unless changed with --data.
        out: The file to write, .png for pictures, .txt for texts; unless named, pictures go to reconstructions.png and
            texts to the screen.
        num: How many, from the start of the split; unset, all, but at most 32.
        split: train, val, test or all.
        layers: Take only so many latent layers, from the top, from the example.
        keep: Take only this part of the latent variables, in (0, 1], from the example: those whose KL is largest on
            average over the validation split (its first 128 examples).
        temperature: Of the prior that the others are drawn from; 0 takes its mean. As of sample.
        seed: Of what is drawn from the prior.
        overwrite: Replace an existing file.
        json: Print for a machine.
    """
    vae = LitVAE.load_from_checkpoint(ckpt_path)
    batch = examples(vae, data, split, num, 32)
    path = target(out, "reconstructions", vae.symbols.suffix, overwrite)
    prior = FromPrior(temperature)
    check_temperature(temperature, vae.layers())
    draw: Draw = posterior_mean
    if keep is not None:
        draw = Masked(most_informative(information(vae, data), keep), draw, prior)
    if layers is not None:
        check_layers(layers, vae)
        draw = TopLayers(layers, draw, prior)
    deliver(vae.reconstruct(batch, draw, seed), path, json)


def examples(vae: LitVAE, data: SymbolDataModule, split: AnySplit, num: int | None, most: int) -> Batch:
    """The first examples of a split; says on stderr which part of the data that is.

    Args:
        vae: The model that reads them.
        data: Where they come from.
        split: train, val, test or all.
        num: How many; None for all, but at most ``most``.
        most: See there.

    Raises:
        ValueError: If there are fewer, or the model was trained on other data.
    """
    vae.learn(data.symbols)
    dataset = data.evaluated(split)
    num = min(most, len(dataset)) if num is None else num
    if not 1 <= num <= len(dataset):
        raise ValueError(f"--num must be from 1 to the {len(dataset)} examples of --split {split}, got {num}")
    print(portion(data, split, num), file=sys.stderr)
    return dataset.__getitems__(list(range(num)))


def information(vae: LitVAE, data: SymbolDataModule) -> list[Tensor]:
    """Mean KL of each latent variable over the validation split, [z] of each layer, nats."""
    dataset = data.evaluated("val")
    numbers = torch.arange(min(MEASURED, len(dataset))).split(64)
    return vae.information(dataset.__getitems__(some.tolist()) for some in numbers)


def check_layers(count: int, vae: LitVAE) -> None:
    """Refuse a number of layers that the model does not have.

    Raises:
        ValueError: If it does not.
    """
    layers = vae.layers()
    if not 0 <= count <= len(layers):
        names = f": {', '.join(layer.name for layer in layers)}" if len(layers) <= 12 else ""
        raise ValueError(f"--layers is from 0 to the {len(layers)} latent layers of the model{names}; got {count}")
