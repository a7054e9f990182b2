"""The verbs that show what a model learned: sample, reconstruct."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from lit_vae import checkpoints
from lit_vae.cli import preflight
from lit_vae.cli.parsing import parse
from lit_vae.cli.quiet import quieten
from lit_vae.cli.words import take
from lit_vae.data import Split, SymbolDataModule
from lit_vae.decoding import Decoding
from lit_vae.files import replacing
from lit_vae.rendering import Rendering
from lit_vae.vae import LitVAE


def sample(words: list[str]) -> None:
    """Draw from a model's prior and write a file."""
    call("sample", write_samples, words)


def reconstruct(words: list[str]) -> None:
    """Write examples beside their reconstructions to a file."""
    _, ckpt_paths = take(words, "--ckpt_path")
    data = None
    if ckpt_paths:
        text = checkpoints.config(checkpoints.find(ckpt_paths[-1], "best"))
        if text is None:
            raise ValueError(f"--ckpt_path {ckpt_paths[-1]} was built in Python: it names no data to reconstruct")
        data = yaml.safe_load(text)["data"]
    call("reconstruct", write_reconstructions, words, data)


def call(verb: str, function: Callable[..., None], words: list[str], data: dict[str, Any] | None = None) -> None:
    """Parse the words after a verb into the arguments of its function, and call it.

    Args:
        verb: The verb.
        function: Its arguments are the verb's flags.
        words: What the user said.
        data: The data module, class path and arguments, that the flags ``--data`` change.
    """
    quieten()
    parser = ArgumentParser(
        prog=f"python -m lit_vae {verb}", exit_on_error=False, allow_abbrev=False, description=function.__doc__
    )
    parser.add_function_arguments(function, skip={"data", "overwrite"})
    parser.add_argument("--overwrite", action="store_true", help="Replace an existing file.")
    if data is not None:
        parser.add_subclass_arguments(SymbolDataModule, "data", required=True)
        parser.set_defaults(data=data)
        preflight.check_flags(words, {"data": data})
    parsed = parser.instantiate(parse(parser, words))
    function(**parsed.as_dict())


def write_samples(
    ckpt_path: str,
    out: str | None = None,
    num: int = 64,
    temperature: float = 1.0,
    head_temperature: float = 1.0,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Draw from a model's prior and write one picture grid, or one text file.

    Args:
        ckpt_path: A run directory, whose best checkpoint is taken, or a checkpoint.
        out: The file to write: .png for pictures, .txt for texts; samples.png or samples.txt unless named.
        num: How many.
        temperature: Multiplies the standard deviation of the prior; below 1 is more typical and less varied.
        head_temperature: Of the decoder's distribution; 0 is greedy.
        seed: Other seeds, other samples.
        overwrite: Replace an existing file.
    """
    vae = LitVAE.load_from_checkpoint(ckpt_path)
    if num < 1:
        raise ValueError(f"--num counts up from 1, got {num}")
    path = free_path(out, f"samples{vae.symbols.suffix}", overwrite)
    write(vae.sample(num, temperature, Decoding(head_temperature), seed), path)


def write_reconstructions(
    ckpt_path: str,
    data: SymbolDataModule,
    out: str | None = None,
    num: int = 32,
    split: Split = "test",
    overwrite: bool = False,
) -> None:
    """Write examples beside their reconstructions: the posterior's mean, decoded greedily.

    Args:
        ckpt_path: A run directory, whose best checkpoint is taken, or a checkpoint.
        data: Where the examples come from; the run's own unless changed with --data.
        out: The file to write: .png for pictures, .txt for texts; reconstructions.png or .txt unless named.
        num: How many, from the start of the split.
        split: train, val or test.
        overwrite: Replace an existing file.
    """
    vae = LitVAE.load_from_checkpoint(ckpt_path)
    vae.learn(data.symbols)
    dataset = data.dataset(split)
    if not 1 <= num <= len(dataset):
        raise ValueError(f"--num is from 1 to the {len(dataset)} examples of --split {split}, got {num}")
    path = free_path(out, f"reconstructions{vae.symbols.suffix}", overwrite)
    write(vae.reconstruct(dataset.__getitems__(list(range(num)))), path)


def free_path(out: str | None, default: str, overwrite: bool) -> Path:
    """Where to write.

    Args:
        out: The user's choice; None for the default.
        default: A name whose suffix says what the file will hold.
        overwrite: Whether an existing file may go.

    Raises:
        FileExistsError: If there is one and it may not.
        ValueError: If the suffix is another.
    """
    path = Path(out or default)
    if path.suffix != Path(default).suffix:
        raise ValueError(f"--out {path}: this model writes {Path(default).suffix} files")
    if path.exists() and not overwrite:
        raise FileExistsError(f"--out {path} exists: choose another, or say --overwrite; nothing was changed")
    return path


def write(rendering: Rendering, path: Path) -> None:
    """Save a rendering and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        rendering.save(file)
    print(f"wrote {path}")
