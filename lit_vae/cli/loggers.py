"""Loggers of a run: Weights & Biases with or without an account, what the user names, and a CSV file in any case."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shlex
import shutil
import string
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

from lit_vae import commands
from lit_vae.cli.words import flags
from lit_vae.files import replacing

WANDB = {"class_path": "lightning.pytorch.loggers.WandbLogger"}
PROJECT = "lit_vae"
CSV = "lit_vae.cli.metrics_file.MetricsFile"
WANDB_ID = "wandb_id.txt"
"""Where a run keeps its id at W&B."""
WANT_FOLDER = ("CSVLogger", "TensorBoardLogger")
"""Loggers that cannot be named without a folder; :func:`complete` then sets it to the run directory."""


def placed(words: list[str], given: Any) -> list[str]:
    """A command line that names a folder for a logger that wants one, so that its class path alone suffices.

    Args:
        words: The command line.
        given: What the config files say of the logger.
    """
    arguments = given.get("init_args") or {} if isinstance(given, dict) else {}
    named = str(given.get("class_path")) if isinstance(given, dict) and "save_dir" not in arguments else ""
    for flag, value in flags(words):
        if flag in ("--trainer.logger", "--trainer.logger.class_path"):
            named = value
        elif flag in ("--trainer.logger.save_dir", "--trainer.logger.init_args.save_dir"):
            return words
    return [*words, "--trainer.logger.init_args.save_dir=."] if named.endswith(WANT_FOLDER) else words


def of_training(given: Any, run_dir: Path, resumed_at: int | None) -> Any:
    """The loggers that were asked for, all writing into the run directory, and a CSV file.

    Args:
        given: What the config says: one logger, several, True or None for the CSV file alone, False for nothing.
        run_dir: Where they write.
        resumed_at: The step that training resumes from; None for a new run.

    Raises:
        ValueError: If one needs a package that is not installed.
    """
    if given is False:
        return False
    for logger in listed(given):
        if is_wandb(logger) and not logger.init_args.get("version"):
            logger.init_args.version = recorded_id(run_dir) or new_id()
        elif str(logger.class_path).endswith("TensorBoardLogger") and logger.init_args.get("version") is None:
            own = logger.init_args.get("save_dir") in (None, ".")
            logger.init_args.version = 0 if own else run_dir.name
    file = Namespace(class_path=CSV, init_args=Namespace(folder=str(run_dir.absolute()), resumed_at=resumed_at))
    return [*complete(listed(given), run_dir), file]


def of_evaluation(given: Any, named: bool, run_dir: Path | None) -> Any:
    """The loggers of an evaluation: those that were asked for with it, and the W&B run that the training has.

    Args:
        given: What the config says, as for :func:`of_training`.
        named: Whether it was said for this evaluation, and not for the training.
        run_dir: Where they write; None for a loose checkpoint, which logs nothing.
    """
    if given is False or run_dir is None:
        return False
    recorded = recorded_id(run_dir) is not None
    return complete([each for each in listed(given) if named or (recorded and is_wandb(each))], run_dir)


def listed(given: Any) -> list[Namespace]:
    """The loggers that a config names; none for True and None."""
    return list(given) if isinstance(given, list) else [] if given in (None, True) else [given]


def is_wandb(logger: Namespace) -> bool:
    """Whether a logger is W&B's."""
    return str(logger.class_path).endswith("WandbLogger")


def complete(chosen: list[Namespace], run_dir: Path) -> list[Namespace]:
    """Loggers with what their user need not say: where they write, the name of the run, whether somebody is logged in.

    Args:
        chosen: The loggers; they are changed.
        run_dir: Where they write.

    Raises:
        ValueError: If one needs a package that is not installed.
    """
    for logger in chosen:
        arguments = logger.init_args
        if "save_dir" in arguments and arguments.save_dir in (None, "."):
            arguments.save_dir = str(run_dir.absolute())  # W&B writes from a process of its own
        if logger.class_path.endswith("TensorBoardLogger") and not has_tensorboard():
            raise ValueError("trainer.logger: TensorBoardLogger needs tensorboard: pip install 'lit_vae[tensorboard]'")
        if is_wandb(logger):
            import wandb

            wandb.setup()  # from here on it is as quiet as the environment says
            arguments.name = arguments.get("name") or run_dir.name
            arguments.project = arguments.get("project") or os.environ.get("WANDB_PROJECT") or PROJECT
            arguments.version = arguments.get("version") or recorded_id(run_dir)
            if arguments.get("offline") or is_offline():
                arguments.offline = True
                # W&B reads its environment once, when it is set up; the logger only sets it there
                arguments.mode = "offline"
    return chosen


def has_tensorboard() -> bool:
    """Whether TensorBoard's files can be written."""
    return any(importlib.util.find_spec(name) is not None for name in ("tensorboard", "tensorboardX"))


def recorded_id(run_dir: Path) -> str | None:
    """The id under which W&B already knows a run that is resumed; None for a new one.

    It is in a file of its own; a run of an earlier version has it in the names of what was recorded alone.
    """
    file = run_dir / WANDB_ID
    if file.is_file():
        return file.read_text(encoding="utf-8").strip() or None
    folders = sorted((run_dir / "wandb").glob("*run-*-*"))
    return folders[-1].name.rpartition("-")[2] if folders else None


def new_id() -> str:
    """An id for a run at W&B, of the kind that it makes itself."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def keep_id(trainer: Trainer, run_dir: Path) -> None:
    """Keep the id of a run at W&B in its directory, so that it is one through all that the run is resumed."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and not (run_dir / WANDB_ID).is_file():
            with replacing(run_dir / WANDB_ID) as unfinished:
                unfinished.write_text(f"{logger.version}\n", encoding="utf-8")


def is_offline() -> bool:
    """Whether W&B is to record offline: by ``WANDB_MODE``, or because nobody is logged in."""
    mode = os.environ.get("WANDB_MODE")
    if mode is not None:
        return mode in ("offline", "dryrun")
    import wandb

    return not wandb.login(prompt=False, verify=False)


def announce(trainer: Trainer, run_dir: Path) -> None:
    """Say in one line how to view what W&B records offline."""
    if any(isinstance(logger, WandbLogger) and logger._offline for logger in trainer.loggers):
        program, folder = commands.wandb(), shlex.quote(str(run_dir / "wandb"))
        print(f"W&B: recording offline; view: {program} leet {folder}; upload: {program} sync {folder}/offline-run-*")


def finish(exit_code: int) -> None:
    """End W&B's run, so that the next one in this process is another.

    Args:
        exit_code: 0 marks it as finished, others as failed.
    """
    import wandb

    if wandb.run is not None:
        wandb.finish(exit_code)


def discard() -> None:
    """End W&B's run, and remove what was recorded of it offline: of a training in which nothing happened."""
    import wandb

    if wandb.run is None:
        return
    folder = Path(wandb.run.dir).parent
    wandb.finish(exit_code=1)
    if folder.name.startswith("offline-run-"):
        shutil.rmtree(folder)
