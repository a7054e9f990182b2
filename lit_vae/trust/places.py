"""What a stranger's settings may not say without code: where to write, and whom to tell."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from lit_vae.trust.refused import Refused

FOLDERS = frozenset(
    ("cache_dir", "config", "default_root_dir", "dir", "dirname", "dirpath", "exclude_batches_path", "folder")
    + ("log_dir", "nvme_path", "save_dir", "weights_save_path")
)
"""Settings of trainers, callbacks, loggers and profilers that name a folder or file of their own."""

NAMES = frozenset(("config_filename", "filename", "filename_suffix", "name", "prefix", "sub_dir", "version"))
"""Settings that become a part of a path in the run directory."""

OF_TRAINER = FOLDERS | NAMES
OF_DATA = frozenset(("cache_dir",))
"""Settings of data modules that name where to write; what they read is named by ``root``."""

LOGGERS = ("WandbLogger", "CSVLogger", "TensorBoardLogger")
OF_LOGGERS = frozenset(("save_dir", "name", "project", "group", "job_type", "tags", "notes", "offline", "prefix"))
"""Settings of a logger that say neither where it sends what it logs, nor more than how it is called."""

RUN_ONLY = frozenset(("ckpt_path", "config", "init_from", "resume", "run_dir"))
"""Top-level keys that say what a command does; only the command itself says that."""


def check_place(name: str, value: Any, where: str, key: str) -> None:
    """Refuse a setting that leads out of the run directory.

    Args:
        name: Of the setting.
        value: What it is set to.
        where: The file, for messages.
        key: The key of the setting.

    Raises:
        Refused: If it does.
    """
    own = f"Say it yourself, if you want it: --{key.replace('.init_args', '')}"
    if name in FOLDERS and value not in (None, ".", ""):
        raise Refused(where, key, f"says where to write or read, {value!r}", own)
    if name in NAMES and isinstance(value, str) and leads_out(value):
        raise Refused(where, key, f"leads out of the run directory, {value!r}", own)


def leads_out(name: str) -> bool:
    """Whether a name in a folder is that of something outside of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or name.startswith("~") or "://" in name or "::" in name


def check_logger(found: type, arguments: dict[str, Any], where: str, key: str) -> None:
    """Refuse a logger that sends what it logs to a place of a stranger's choice.

    Raises:
        Refused: If it does.
    """
    own = "Say --trainer.logger yourself, a class path or false"
    if found.__name__ not in LOGGERS:
        raise Refused(where, key, f"names the logger {found.__name__}", own)
    defaults: dict[str, Any] = {"add_file_policy": "mutable"}
    for name, value in arguments.items():
        if name not in OF_LOGGERS and value not in (None, False, "", defaults.get(name)):
            raise Refused(where, f"{key}.init_args.{name}", f"is set, to {value!r}", own)


def check_callback_states(states: Any, where: str) -> None:
    """Refuse states of callbacks by which a resumed run would delete files that are not its own.

    Lightning deletes a checkpoint that a better one replaces by the path in the state, checked only by its beginning.

    Raises:
        Refused: If a path in them leads elsewhere.
    """
    for name, state in states.items() if isinstance(states, dict) else []:
        if not isinstance(state, dict):
            continue
        kept = state.get("best_k_models")
        paths = [value for key, value in state.items() if str(key).endswith("_path")]
        for path in [*paths, *(kept if isinstance(kept, dict) else [])]:
            text = str(path)
            if "://" in text or "::" in text or ".." in PurePosixPath(text).parts:
                raise Refused(where, f"callbacks.{str(name)[:40]}", f"names {text!r} as a checkpoint of the run")
