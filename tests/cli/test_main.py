"""The door: verbs, help, version, and a user's own module."""

import subprocess
import sys

import pytest

import lit_vae
from lit_vae import __version__
from lit_vae.cli import VERBS, main


def test_help_lists_every_verb_with_a_line_on_it(cli):
    answer = cli("--help")

    assert answer.status == 0
    for verb, (line, _) in VERBS.items():
        assert f"{verb} " in answer.out
        assert line in answer.out


def test_no_verb_is_answered_with_the_verbs_and_a_failure(cli):
    answer = cli()

    assert answer.status == 2
    assert answer.out == cli("--help").out


def test_the_version_is_said(cli):
    assert cli("--version").out == f"{__version__}\n"


SHOWING = ["sample", "reconstruct", "encode", "decode", "interpolate", "traverse"]


@pytest.mark.parametrize("verb", ["fit", "validate", "test", *SHOWING])
def test_each_verb_lists_its_arguments(capsys, verb):
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])

    out = capsys.readouterr().out
    assert end.value.code == 0
    assert out.startswith("usage: python -m lit_vae ")
    assert "--ckpt_path" in out


def test_a_module_beside_the_config_is_found_by_the_console_script_too(cli, monkeypatch):
    (cli.folder / "my_heads.py").write_text(
        "from lit_vae.heads import SoftmaxPixelHead\n\n\nclass MyHead(SoftmaxPixelHead):\n    pass\n"
    )
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(cli.folder))])
    file = cli.config("pictures", model__head={"class_path": "my_heads.MyHead"})

    answer = cli("fit", "--config", file, "--run_dir", "mine", "--trainer.max_steps", "1")

    assert answer.status == 0, answer.err
    assert cli("test", "--ckpt_path", "mine").status == 0


def test_help_does_not_wait_for_torch(cli):
    code = "import sys; from lit_vae.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_public_names_are_imported_when_they_are_asked_for():
    names = {}

    exec("from lit_vae import *", names)

    assert set(lit_vae.__all__) <= names.keys()
    with pytest.raises(AttributeError, match="module 'lit_vae' has no attribute 'LitVea'"):
        lit_vae.LitVea  # noqa: B018
