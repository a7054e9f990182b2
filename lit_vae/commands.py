"""Commands that are printed for the user to paste: quoted for a shell, and started the way this program was."""

import itertools
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

MODULE = ("-m", "lit_vae")
SCRIPT = "lit-vae"


def command(*words: object) -> str:
    """A command of this program.

    Args:
        words: The verb and its arguments, unquoted.
    """
    return shlex.join([*program(sys.orig_argv), *map(str, words)])


def program(started: Sequence[str]) -> list[str]:
    """How a process started this program, so that the same words start it again; ``python -m lit_vae`` if it did not.

    The interpreter is named as the user named it: ``python`` need not be the one of ``.venv/bin/python -m lit_vae``.

    Args:
        started: The command line of the process, from the interpreter on.
    """
    if MODULE in itertools.pairwise(started):
        return [started[0], *MODULE]
    if len(started) > 1 and Path(started[1]).name == SCRIPT:
        return [SCRIPT if shutil.which(SCRIPT) == started[1] else started[1]]
    return ["python", *MODULE]


def wandb() -> str:
    """How W&B's own program is started, quoted."""
    if shutil.which("wandb"):
        return "wandb"
    return shlex.join([sys.executable, "-m", "wandb"])
