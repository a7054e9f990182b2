"""A finished run, copies of it as a stranger would send them, and an eye on what is imported and run."""

import copy
import os
import shutil
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml

from lit_vae.cli import main
from lit_vae.trust.signature import SIGNATURE

CONFIG = {
    "model": {
        "backbone": {"class_path": "lit_vae.backbones.ConvVAE", "init_args": {"width": 8, "latent": 2, "halvings": 1}},
        "head": {"class_path": "lit_vae.heads.LogisticPixelHead", "init_args": {"components": 1}},
        "objective": {"class_path": "lit_vae.objectives.ELBO", "init_args": {"per": "symbol"}},
        "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 1e-3}},
        "scheduler": {"class_path": "torch.optim.lr_scheduler.LinearLR", "init_args": {"total_iters": 9}},
    },
    "data": {"class_path": "lit_vae.data.DigitsDataModule", "init_args": {"batch_size": 64}},
    "trainer": {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 1, "accelerator": "cpu", "devices": 1},
}
EVIL = """
import pathlib
pathlib.Path("IMPORTED").touch()


class Foo:
    def __init__(self, *args, **kwargs):
        pathlib.Path("MADE").touch()


def hook(*args):
    pathlib.Path("CALLED").touch()
"""
MARKS = ("IMPORTED", "MADE", "CALLED", "PWNED")
CHANGED = object()


@pytest.fixture(scope="session")
def run_of_mine(tmp_path_factory):
    """A finished run, signed, not to be changed."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "own.yaml").write_text(yaml.safe_dump(CONFIG))
    words = ["--run_dir", str(folder / "run"), "--trainer.logger", "false"]
    with mock.patch.dict(os.environ):
        assert main(["fit", "--config", str(folder / "own.yaml"), *words]) == 0
    return folder / "run"


@pytest.fixture(scope="session")
def content(run_of_mine):
    """What its checkpoint holds."""
    return torch.load(run_of_mine / "checkpoints" / "last.ckpt", weights_only=True)


class Scene:
    """A folder with a module that leaves marks when it is imported, made or called, and a stranger's checkpoint."""

    def __init__(self, folder: Path, content: dict) -> None:
        self.folder = folder
        self.content = content
        self.file = folder / "theirs" / "checkpoints" / "last.ckpt"
        self.file.parent.mkdir(parents=True)
        (folder / "theirs" / "config.yaml").write_text(content["config"])
        (folder / "evil.py").write_text(EVIL)

    def send(self, path: list, value, signed: bool = False) -> Path:
        """Write a stranger's checkpoint, one of its settings changed.

        Args:
            path: From ``config`` or ``hyper_parameters`` to it.
            value: What it is.
            signed: Whether the signature stays, which then is another's.
        """
        changed = {**self.content, "hyper_parameters": copy.deepcopy(self.content["hyper_parameters"])}
        if not signed:
            changed.pop(SIGNATURE, None)
        changed["config"] = yaml.safe_load(changed["config"])
        place(changed, path, value)
        if not isinstance(changed["config"], str):
            changed["config"] = yaml.safe_dump(changed["config"])
        torch.save(changed, self.file)
        return self.file

    def marks(self) -> list[str]:
        """What was imported, made or run."""
        return [mark for mark in MARKS if (self.folder / mark).exists()] + ["evil"] * ("evil" in sys.modules)


def place(node, path, value):
    """Set a value in a tree."""
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


@pytest.fixture
def scene(tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield Scene(tmp_path, content)
    sys.modules.pop("evil", None)
    shutil.rmtree(tmp_path)
