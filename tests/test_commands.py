"""Commands to paste."""

import shlex
import shutil

import pytest

from lit_vae import commands


@pytest.mark.parametrize(
    ("started", "again"),
    [
        (["python", "-m", "lit_vae", "fit"], ["python", "-m", "lit_vae"]),
        ([".venv/bin/python", "-m", "lit_vae", "fit"], [".venv/bin/python", "-m", "lit_vae"]),
        (["python3", "-W", "default", "-m", "lit_vae", "fit"], ["python3", "-m", "lit_vae"]),
        (["/env/bin/python", "/env/bin/lit-vae", "fit"], ["/env/bin/lit-vae"]),
        (["python", "-m", "pytest"], ["python", "-m", "lit_vae"]),
        (["python", "train.py"], ["python", "-m", "lit_vae"]),
        (["python"], ["python", "-m", "lit_vae"]),
    ],
)
def test_a_command_starts_as_this_program_was_started(started, again):
    assert commands.program(started) == again


def test_a_script_on_the_path_goes_by_its_name(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/env/bin/{name}")

    assert commands.program(["/env/bin/python", "/env/bin/lit-vae", "fit"]) == ["lit-vae"]


@pytest.mark.parametrize("path", ["runs/mine", "my runs/it's $HOME", "a;b", "-x", "*"])
def test_a_shell_reads_the_words_that_were_meant(path):
    assert shlex.split(commands.command("test", "--ckpt_path", path))[-3:] == ["test", "--ckpt_path", path]


def test_wandb_is_found_where_it_is_not_on_the_path(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert shlex.split(commands.wandb())[1:] == ["-m", "wandb"]
