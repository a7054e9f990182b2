"""A run of one's own names what it likes, without a flag; what was changed, or another's, does not."""

import multiprocessing
import stat
import sys

import pytest
import torch
import yaml

from lit_vae import LitVAE
from lit_vae.cli import main
from lit_vae.trust.key import NoKey, key, key_file
from lit_vae.trust.refused import Refused
from lit_vae.trust.signature import SIGNATURE, is_own, sign
from lit_vae.trust.unsigned import warning

MINE = """
import torch


class MyAdam(torch.optim.Adam):
    pass


def slower(step):
    return 1 / (step + 1)
"""
SCHEDULE = {"class_path": "torch.optim.lr_scheduler.LambdaLR", "init_args": {"lr_lambda": "my_parts.slower"}}


@pytest.fixture
def mine(scene, monkeypatch):
    """A folder with a module of the user's own, and a run of his that names a class and a function of it."""
    (scene.folder / "my_parts.py").write_text(MINE)
    config = yaml.safe_load(scene.content["config"])
    config["model"] |= {"optimizer": "my_parts.MyAdam", "scheduler": SCHEDULE}
    (scene.folder / "mine.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "mine.yaml", "--run_dir", "mine"]) == 0
    sys.modules.pop("my_parts")
    yield scene.folder / "mine"
    sys.modules.pop("my_parts", None)


def test_a_run_with_modules_of_ones_own_needs_no_flag(mine, capsys):
    file = mine / "checkpoints" / "last.ckpt"

    assert type(LitVAE.load_from_checkpoint(file).configure_optimizers()["optimizer"]).__name__ == "MyAdam"
    assert main(["test", "--ckpt_path", "mine", "--limit", "4"]) == 0
    assert main(["fit", "--ckpt_path", "mine", "--trainer.max_epochs", "2"]) == 0
    assert is_own(torch.load(file, weights_only=True))


def test_a_run_that_was_changed_needs_trust(mine, capsys):
    file = mine / "checkpoints" / "last.ckpt"
    content = torch.load(file, weights_only=True)
    content["hyper_parameters"]["scheduler"]["init_args"]["last_epoch"] = 3
    torch.save(content, file)

    with pytest.raises(Refused, match="--trust my_parts"):
        LitVAE.load_from_checkpoint(file)
    assert "my_parts" not in sys.modules
    assert main(["sample", "--ckpt_path", str(file), "--num", "2"]) == 2
    assert "--trust my_parts" in capsys.readouterr().err

    LitVAE.load_from_checkpoint(file, trust=["my_parts"])
    assert main(["sample", "--ckpt_path", str(file), "--num", "2", "--trust", "my_parts"]) == 0


def test_a_strangers_run_that_is_resumed_with_trust_is_ones_own_from_there(mine, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("another")))

    assert main(["fit", "--ckpt_path", "mine", "--trainer.max_epochs", "2"]) == 2
    assert main(["fit", "--ckpt_path", "mine", "--trainer.max_epochs", "2", "--trust", "my_parts"]) == 0

    LitVAE.load_from_checkpoint(mine / "checkpoints" / "last.ckpt")


def test_a_run_of_before_signatures_is_read_where_it_names_our_classes_alone(scene, capsys):
    file = scene.send(["hyper_parameters", "regularizers"], None)

    LitVAE.load_from_checkpoint(file)

    assert main(["test", "--ckpt_path", "theirs", "--limit", "4", "--trainer.logger", "false"]) == 0
    assert main(["fit", "--ckpt_path", "theirs", "--trainer.max_epochs", "2"]) == 0
    assert is_own(torch.load(file, weights_only=True))


@pytest.mark.parametrize("name", ["config", "hyper_parameters"])
def test_every_change_breaks_the_signature(name, content):
    assert is_own(content)
    assert not is_own({**content, name: {}})
    assert not is_own({**content, SIGNATURE: content[SIGNATURE][:-1]})
    assert not is_own({**content, SIGNATURE: "\N{SNOWMAN}"})
    assert not is_own({**content, SIGNATURE: content[SIGNATURE].encode()})
    assert not is_own({each: value for each, value in content.items() if each != name})


def test_settings_of_the_wrong_kind_are_not_signed():
    for settings in ({"a": torch.zeros(1)}, {1: 2}, {"a": 1 << 70}, {"a": "x" * (1 << 23)}):
        checkpoint = {"hyper_parameters": settings}
        assert sign(checkpoint)
        assert SIGNATURE not in checkpoint
        assert not is_own(checkpoint | {SIGNATURE: "0" * 64})


def test_no_checkpoint_holds_the_key(run_of_mine):
    files = list(run_of_mine.rglob("*.*"))

    assert files
    assert not any(key() in file.read_bytes() or key().hex().encode() in file.read_bytes() for file in files)


def made(folder, barrier, found):
    import os

    os.environ["XDG_CONFIG_HOME"] = folder
    barrier.wait()
    found.put(key())


def test_processes_that_make_the_key_at_once_have_one(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, found = context.Barrier(8), context.Queue()
    processes = [context.Process(target=made, args=(str(tmp_path), barrier, found)) for _ in range(8)]
    for process in processes:
        process.start()
    keys = {found.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()

    assert len(keys) == 1
    assert [file.name for file in (tmp_path / "lit_vae").iterdir()] == ["signing_key"]


def test_the_key_is_the_users_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert len(key()) == 32
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600

    key_file().chmod(0o644)
    with pytest.raises(NoKey, match="chmod 600"):
        key()

    key_file().chmod(0o600)
    key_file().write_bytes(b"short")
    with pytest.raises(NoKey, match="damaged"):
        key()


def test_a_relative_config_home_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert key_file() == tmp_path / ".config" / "lit_vae" / "signing_key"


def test_without_a_key_runs_go_on_and_say_so_only_where_it_matters(scene, monkeypatch):
    (scene.folder / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(scene.folder / "file"))
    config = yaml.safe_load(scene.content["config"])

    assert sign({"config": scene.content["config"]})
    assert warning(yaml.safe_dump(config)) == ""
    config["model"]["optimizer"] = "my_parts.MyAdam"
    said = warning(yaml.safe_dump(config))
    assert "not signed" in said
    assert "--trust my_parts" in said


@pytest.mark.parametrize("name", ["", "my module", "../evil", "evil.py/x", "1st"])
def test_trust_names_modules(name, capsys):
    assert main(["sample", "--trust", name or "--num"]) == 2
    assert "--trust" in capsys.readouterr().err
