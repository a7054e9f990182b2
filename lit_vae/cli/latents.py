"""The verbs that write latents down and read them back: encode, decode."""

from __future__ import annotations

from typing import Any, Literal

import torch

from lit_vae.cli.call import call, data_of
from lit_vae.cli.output import deliver, free_path, say, target
from lit_vae.cli.show import check_layers, examples
from lit_vae.commands import command
from lit_vae.data import AnySplit, SymbolDataModule
from lit_vae.decoding import Decoding
from lit_vae.draws import from_posterior, most_informative, posterior_mean
from lit_vae.latent_stack import LatentStack
from lit_vae.vae import LitVAE


def encode(words: list[str]) -> None:
    """Write the latents of examples to a file."""
    call("encode", write_latents, words, data_of(words))


def decode(words: list[str]) -> None:
    """Show what latents in a file decode to."""
    call("decode", show_latents, words)


def write_latents(
    ckpt_path: str,
    data: SymbolDataModule,
    out: str | None = None,
    num: int | None = None,
    split: AnySplit = "test",
    z: Literal["mean", "sample"] = "mean",
    layers: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Write the latents of examples to a file, and print how much each latent layer holds.

    The size of a layer is its KL: what an ideal code of it takes, given the layers above. It is measured on samples of
    the posterior, whichever z is written: over the whole split, the total is the rate that test reports. From Python,
    the file is read by lit_vae.LatentStack.load.

    Args:
        ckpt_path: A run directory, whose best checkpoint is taken, or a checkpoint.
        data: Where the examples come from; the run's own unless changed with --data.
        out: The file to write, .pt; latents.pt unless named.
        num: How many, from the start of the split; unset, all, but at most 64.
        split: train, val, test or all.
        z: The posterior's mean, or a sample of the posterior.
        layers: Keep only so many latent layers, from the top; null for all.
        seed: Other seeds, other samples of the posterior, of which test has those of seed 0.
        overwrite: Replace an existing file.
        json: Print for a machine.
    """
    vae = LitVAE.load_from_checkpoint(ckpt_path)
    batch = examples(vae, data, split, num, 64)
    path = free_path(out, "latents.pt", overwrite)
    stack = vae.encode(batch, posterior_mean if z == "mean" else from_posterior, seed)
    if layers is not None:
        check_layers(layers, vae)
        stack = stack.top(layers)
    path.parent.mkdir(parents=True, exist_ok=True)
    stack.save(path)
    if json:
        say({"file": str(path), "examples": len(stack), "layers": stack.report()})
        return
    print("\n".join(table(stack.report())))
    decode_them = command("decode", "--ckpt_path", ckpt_path, "--latents", path)
    print(f"wrote {path}: {len(stack)} examples; decode them with: {decode_them}")


def table(report: list[dict[str, Any]]) -> list[str]:
    """A report as lines: columns right-aligned, their names above."""
    rows = [list(report[0])] + [
        [f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()] for row in report
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]


def show_latents(
    ckpt_path: str,
    latents: str,
    out: str | None = None,
    layers: int | None = None,
    keep: float | None = None,
    temperature: float | dict[str, float] = 0.0,
    head_temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    beams: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Show what latents in a file decode to: one picture grid, or texts on the screen.

    Args:
        ckpt_path: A run directory, whose best checkpoint is taken, or a checkpoint: the model that wrote the latents.
        latents: A file that encode wrote.
        out: The file to write, .png for pictures, .txt for texts; unless named, pictures go to decoded.png and texts to
            the screen.
        layers: Take only so many latent layers, from the top, from the file.
        keep: Take only this part of the latent variables, in (0, 1], from the file: those whose KL is largest on
            average over its examples.
        temperature: Of the prior that latent variables are drawn from which are not taken from the file, or not in it;
            0 takes its mean. A number, or one for each latent layer or resolution: '{4x4: 0.8, others: 1}'.
        head_temperature: Of the decoder's distribution; 0 is greedy.
        top_k: For texts: choose only among so many most probable tokens.
        top_p: For texts: choose only among the most probable tokens whose mass reaches this.
        beams: For texts: search for the most probable text, keeping so many.
        seed: Other seeds, other draws.
        overwrite: Replace an existing file.
        json: Print for a machine.
    """
    vae = LitVAE.load_from_checkpoint(ckpt_path)
    path = target(out, "decoded", vae.symbols.suffix, overwrite)
    try:
        stack = LatentStack.load(latents)
    except FileNotFoundError as error:
        write_one = command("encode", "--ckpt_path", ckpt_path, "--out", f"{latents.removesuffix('.pt')}.pt")
        raise ValueError(f"--latents {latents}: {error.strerror}; write one with: {write_one}") from error
    except OSError as error:
        raise ValueError(f"--latents {latents}: {error.strerror}; it must be a file that encode wrote") from error
    except ValueError as error:
        raise ValueError(f"--latents {error}") from error
    decoding = Decoding(head_temperature, top_k, top_p, beams)
    mask = None
    if keep is not None:
        mask = most_informative(stack.information, keep)
        mask += [torch.tensor(False) for _ in vae.layers()[len(mask) :]]
    if layers is not None:
        check_layers(layers, vae)
        stack = stack.top(layers)
    deliver(vae.show(stack, mask, temperature, decoding, seed), path, json)
