"""``python -m lit_vae <verb>``: one place where verbs are found and errors become messages."""

from __future__ import annotations

import difflib
import errno
import importlib
import sys
import traceback

from lit_vae.cli.words import take
from lit_vae.commands import command
from lit_vae.trust.given import trusting

VERBS = {
    "fit": ("train a model, or resume a run: --config NAME_OR_FILE | --ckpt_path RUN", "lit_vae.cli.train:fit"),
    "validate": ("the bound on the validation split: --ckpt_path RUN", "lit_vae.cli.train:validate"),
    "test": ("the bound on the test split: --ckpt_path RUN", "lit_vae.cli.train:test"),
    "sample": ("pictures or texts from the prior: --ckpt_path RUN --num 64", "lit_vae.cli.show:sample"),
    "reconstruct": ("examples beside their reconstructions: --ckpt_path RUN", "lit_vae.cli.show:reconstruct"),
    "import-checkpoint": (
        "a run from a checkpoint of VDVAE, Efficient-VDVAE or NVAE: FILE --from vdvae --out RUN",
        "lit_vae.cli.importing:import_checkpoint",
    ),
    "encode": ("the latents of examples to a file, and their size: --ckpt_path RUN", "lit_vae.cli.latents:encode"),
    "decode": ("what latents decode to: --ckpt_path RUN --latents FILE", "lit_vae.cli.latents:decode"),
    "interpolate": (
        "what lies between examples: --ckpt_path RUN, or for texts --from TEXT --to TEXT",
        "lit_vae.cli.latents_walks:interpolate",
    ),
    "traverse": ("what latent variables do: --ckpt_path RUN", "lit_vae.cli.latents_walks:traverse"),
    "heads": ("the decoder heads: data, numbers, unit, when to use which", "lit_vae.cli.heads:show"),
    "configs": ("the packaged configs, with a line on each", "lit_vae.cli.configs:show"),
}
"""Each verb: what it does, and the function that does it."""

CHANGE = "change --run_dir or --out"
BLOCKED = (errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EPERM, errno.EROFS)
"""Reasons why a file cannot be written where the user wants it."""


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit status.

    Args:
        argv: The words after the program's name; None takes the process's own.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    wants_traceback = "--traceback" in words
    words = [word for word in words if word != "--traceback"]
    try:
        words, trusted = take(words, "--trust")
    except ValueError as error:
        return fail(message(error))
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    if words[0] == "--version":
        from lit_vae.version import __version__

        print(__version__)
        return 0
    if words[0] not in VERBS:
        return fail(f"there is no verb '{words[0]}'{near(words[0], list(VERBS))}; {command('--help')} lists them")
    if "" not in sys.path:
        sys.path.append("")  # a user's own module beside the config, which the console script would not find
    module, function = VERBS[words[0]][1].split(":")
    try:
        with trusting(trusted):
            getattr(importlib.import_module(module), function)(words[1:])
    except Exception as error:
        if wants_traceback:
            traceback.print_exc()
        return fail(message(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def usage() -> str:
    """What ``--help`` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {line}" for name, (line, _) in VERBS.items())
    return (
        f"usage: {command()} <verb> [arguments]\n\nverbs:\n{verbs}\n\n"
        f"{command()} <verb> --help lists a verb's arguments; --traceback shows where an error came from.\n"
        f"--trust MODULE lets a checkpoint that no run of yours wrote name classes of that module, too."
    )


def near(word: str, known: list[str]) -> str:
    """``; near misses: ...``, or nothing where nothing is near."""
    spelled = {name.lower(): name for name in known}
    misses = difflib.get_close_matches(word.lower(), spelled, n=3, cutoff=0.5)
    return f"; near misses: {', '.join(spelled[miss] for miss in misses)}" if misses else ""


def message(error: Exception) -> str:
    """One message for an error, in the user's words."""
    text = str(error).strip()
    if isinstance(error, OSError) and error.strerror:
        hint = [f"free some room, or {CHANGE}"] if error.errno == errno.ENOSPC else [CHANGE] * (error.errno in BLOCKED)
        return ": ".join([error.strerror, *([str(error.filename)] if error.filename else []), *hint])
    known = (
        isinstance(error, ValueError | OSError | FloatingPointError)
        or type(error).__name__ == "MisconfigurationException"
    )
    return text if known and text else f"{type(error).__name__}: {text} (--traceback shows where)"


def fail(text: str) -> int:
    """Print an error and return the exit status of one."""
    print(f"error: {text}", file=sys.stderr)
    return 2
