"""Every command that a verb prints works as it is pasted into a shell, in a folder whose name a shell would divide."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lit_vae.cli import VERBS, configs
from lit_vae.cli.words import take

PRINTED = re.compile(
    r"(?:\S*python -m lit_vae|(?:\S*python\S* -m )?wandb (?=leet|sync)).*?(?=; |\n| lists | writes |$)"
)
NAME = "it's a $run"
RUN = f"my runs/{NAME}"


def commands(text: str) -> list[list[str]]:
    """The commands in what was printed, as a shell divides them."""
    lines = [line for line in text.splitlines() if not line.startswith("usage: ")]
    return [shlex.split(found) for found in PRINTED.findall("\n".join(lines))]


def pasted(cli, words: list[str]):
    """The answer to a command of this program."""
    program = ["python", "-m", "lit_vae"]
    assert words[:3] == program
    return cli(*words[3:])


@pytest.fixture
def spaced(cli, runs):
    """The folder of the command line, with the finished run of pictures under a name that needs quoting."""
    shutil.copytree(runs / "pictures", cli.folder / RUN)
    return cli.folder


def test_fit_prints_how_to_evaluate(cli):
    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", RUN, "--trainer.max_steps", "1")

    (evaluate,) = commands(answer.out)
    assert evaluate[3:] == ["test", "--ckpt_path", RUN]
    assert pasted(cli, evaluate).status == 0


def test_encode_prints_how_to_decode(cli, spaced):
    answer = cli("encode", "--ckpt_path", RUN, "--num", "2", "--out", "some latents.pt")

    (decode,) = commands(answer.out)
    assert pasted(cli, decode).status == 0
    assert (spaced / "decoded.png").is_file()


def test_decode_prints_how_to_write_what_is_not_there(cli, spaced):
    answer = cli("decode", "--ckpt_path", RUN, "--latents", "some latents.pt")

    (encode,) = commands(answer.err)
    assert answer.status == 2
    assert pasted(cli, encode).status == 0
    assert cli("decode", "--ckpt_path", RUN, "--latents", "some latents.pt").status == 0


@pytest.mark.parametrize("words", [["fit"], ["fit", "--config", "nothing.yaml"], ["tset"], ["--help"]])
def test_what_helps_is_a_command(cli, words):
    answer = cli(*words)

    found = commands(answer.out + answer.err)
    assert found
    for command in found:
        assert command[:3] == ["python", "-m", "lit_vae"]
        if "<verb>" not in command:
            assert pasted(cli, command).status == 0


def test_an_interrupted_run_prints_how_to_resume(cli, spaced, capsys):
    from lit_vae.callbacks import KeepLast

    class Stopped:
        is_global_zero, global_step = True, 4
        state = type("State", (), {"fn": "fit"})

    KeepLast(Path(RUN) / "checkpoints").on_exception(Stopped(), None, KeyboardInterrupt())

    (resume,) = commands(capsys.readouterr().out)
    assert pasted(cli, resume).status == 0


def test_wandb_commands_name_what_is_there(cli, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    wandb = ["--trainer.logger", "lightning.pytorch.loggers.WandbLogger"]

    answer = cli("fit", "--config", "pictures.yaml", "--run_dir", RUN, "--trainer.max_steps", "1", *wandb)

    (line,) = [line for line in answer.out.splitlines() if line.startswith("W&B")]
    view, upload = PRINTED.findall(line)
    divided = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {upload}"], capture_output=True, text=True, check=True, cwd=cli.folder
    ).stdout.split("\0")
    assert Path(shlex.split(view)[-1]).is_dir()
    assert shlex.split(view)[-2] == "leet"
    assert [Path(word).name[:12] for word in divided[-2:-1]] == ["offline-run-"]
    dry = subprocess.run(
        ["bash", "-c", f"{upload} --dry-run"], capture_output=True, text=True, timeout=60, cwd=cli.folder, check=False
    )
    assert dry.returncode == 0, dry.stderr
    assert "offline-run-" in dry.stdout + dry.stderr


@pytest.mark.parametrize("verb", ["test", "validate", "sample", "reconstruct", "interpolate", "traverse", "configs"])
def test_no_other_verb_prints_a_command_that_is_not_tried_here(cli, finished, verb):
    answer = cli(verb, *([] if verb == "configs" else ["--ckpt_path", "pictures"]))

    assert answer.status == 0
    assert commands(answer.out + answer.err) == []


def test_a_command_names_the_python_that_this_program_was_started_with(cli):
    """``.venv/bin/python`` need not be the ``python`` of the path."""
    process = cli.spawn("nonsense")
    _, err = process.communicate(timeout=60)

    (found,) = commands(err)
    assert found == [sys.executable, "-m", "lit_vae", "--help"]
    done = subprocess.run(found, capture_output=True, text=True, env={**os.environ, "PATH": ""}, check=False)
    assert done.returncode == 0


def test_commands_of_the_documentation_name_verbs_and_configs_that_there_are():
    """The README's and those of docs/write_a_head.md are also run, by their own tests."""
    root = Path(__file__).parents[2]
    own = {"photons.yaml"}  # written by the page that names it
    for file in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        for line in re.findall(r"python -m lit_vae ([a-z][^\n`]+)", file.read_text(encoding="utf-8")):
            words = shlex.split(line.split(" | ")[0])
            assert words[0] in VERBS, f"{file.name}: {line}"
            for name in take(words, "--config")[1]:
                assert name in own or name.isupper() or configs.resolve(name).is_file(), f"{file.name}: {line}"
