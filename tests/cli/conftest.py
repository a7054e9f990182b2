"""Running the command line in this process, on models that train in a moment."""

import copy
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
import yaml

from lit_vae.cli import main

PICTURES = {
    "model": {
        "backbone": {"class_path": "lit_vae.backbones.ConvVAE", "init_args": {"width": 8, "latent": 2, "halvings": 1}},
        "head": {"class_path": "lit_vae.heads.LogisticPixelHead", "init_args": {"components": 1}},
        "objective": {"class_path": "lit_vae.objectives.ELBO", "init_args": {"per": "symbol"}},
        "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 1e-3}},
    },
    "data": {"class_path": "lit_vae.data.DigitsDataModule", "init_args": {"batch_size": 64}},
    "trainer": {
        "max_epochs": 1,
        "limit_train_batches": 4,
        "log_every_n_steps": 2,
        "accelerator": "cpu",
        "devices": 1,
        "logger": True,
    },
}
TEXTS = copy.deepcopy(PICTURES)
TEXTS["model"]["backbone"] = {
    "class_path": "lit_vae.backbones.RecurrentVAE",
    "init_args": {"width": 8, "hidden": 8, "latent": 2},
}
TEXTS["model"]["head"] = {"class_path": "lit_vae.heads.LSTMTokenHead", "init_args": {"embed_width": 4, "hidden": 8}}
TEXTS["data"] = {
    "class_path": "lit_vae.data.TextLinesDataModule",
    "init_args": {
        "root": "texts.txt",
        "tokenizer": {"class_path": "lit_vae.tokenizers.Characters"},
        "max_length": 40,
        "batch_size": 16,
    },
}
CONFIGS = {"pictures": PICTURES, "texts": TEXTS}
LINES = [f"{number} times {number + 1} is {number * (number + 1)}." for number in range(100)]


@dataclass(frozen=True)
class Answer:
    """What a command left on the screen."""

    status: int
    out: str
    err: str


class CommandLine:
    """The command line, run in a folder that holds pictures.yaml, texts.yaml and texts.txt."""

    def __init__(self, folder: Path, capture) -> None:
        self.folder = folder
        self.capture = capture
        self.processes: list[subprocess.Popen] = []

    def __call__(self, *words) -> Answer:
        self.capture.readouterr()
        status = main([str(word) for word in words])
        out, err = self.capture.readouterr()
        return Answer(status, out, err)

    def spawn(self, *words, **changes: str | None) -> subprocess.Popen:
        """The same in a process of its own, from which Ctrl-C reaches its children alone.

        Args:
            words: The command line.
            changes: Of the environment; None takes a variable away.
        """
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **changes}
        command = [sys.executable, "-m", "lit_vae", *(str(word) for word in words)]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # What a shell starts in the background, such as these tests, ignores Ctrl-C, and so would the process.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.processes.append(process)
        return process

    def clean(self) -> None:
        """End what is still running."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def config(self, name: str, **changes) -> Path:
        """A copy of one of CONFIGS, some of its values changed: ``model__head__init_args={...}``."""
        config = copy.deepcopy(CONFIGS[name])
        for dotted, value in changes.items():
            *path, last = dotted.split("__")
            node = config
            for key in path:
                node = node.setdefault(key, {})
            node[last] = value
        file = self.folder / "changed.yaml"
        file.write_text(yaml.safe_dump(config))
        return file


def furnish(folder: Path) -> None:
    """Write the configs, and the texts that one of them reads."""
    for name, config in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    (folder / "texts.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    command_line = CommandLine(tmp_path, capsys)
    yield command_line
    command_line.clean()


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder with a finished run of each config, under its name, not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    furnish(folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with mock.patch.dict(os.environ):
            for name in CONFIGS:
                assert main(["fit", "--config", f"{name}.yaml", "--run_dir", name]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def finished(cli, runs):
    """A copy of the finished runs, in the folder of the command line."""
    for name in CONFIGS:
        shutil.copytree(runs / name, cli.folder / name)
    return cli.folder
