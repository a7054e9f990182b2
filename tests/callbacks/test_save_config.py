"""The config and the code's version, wherever a run leaves a trace."""

import subprocess

import pytest
import torch
import yaml
from lightning.pytorch.loggers import CSVLogger

from lit_vae import __version__
from lit_vae.callbacks import SaveConfig, save_config
from lit_vae.trust.config_file import content_of

CONFIG = "seed_everything: 0\nmodel:\n  lr: 0.001\n"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout of one commit, taken for the one in which the code lies."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "code.py").write_text("1")
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "First"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    monkeypatch.setattr(save_config, "CHECKOUT", folder)
    return folder


def test_run_directory_logger_and_checkpoint_get_config_and_version(vae, data, make_short_trainer, tmp_path, checkout):
    trainer = make_short_trainer(SaveConfig(CONFIG), logger=CSVLogger(tmp_path / "csv"))

    trainer.fit(vae, data)
    trainer.save_checkpoint(tmp_path / "model.ckpt")

    version = {"lit_vae": __version__, **save_config.commit()}
    text = content_of(tmp_path / "config.yaml")["config"]
    assert text == f"# lit_vae {version['lit_vae']}, commit {version['commit']}\n{CONFIG}"
    assert torch.load(tmp_path / "model.ckpt", weights_only=True)["config"] == text
    (logged,) = (tmp_path / "csv").rglob("hparams.yaml")
    assert yaml.safe_load(logged.read_text()) == {**version, "seed_everything": 0, "model": {"lr": 0.001}}


def test_the_first_config_of_a_run_stays(vae, data, make_short_trainer, tmp_path):
    (tmp_path / "config.yaml").write_text("first")

    make_short_trainer(SaveConfig(CONFIG)).fit(vae, data)

    assert (tmp_path / "config.yaml").read_text() == "first"


def test_a_checkout_tells_its_commit_and_whether_it_was_changed(checkout):
    head = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)

    clean = save_config.commit()["commit"]
    (checkout / "code.py").write_text("2")
    changed = save_config.commit()["commit"]

    assert head.stdout.startswith(clean)
    assert len(clean) == 12
    assert changed == f"{clean}-dirty"


def test_an_installed_package_has_no_commit(tmp_path, monkeypatch, checkout):
    monkeypatch.setattr(save_config, "CHECKOUT", checkout / "site-packages")

    assert save_config.commit() == {}


def test_a_machine_without_git_has_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")

    assert save_config.commit() == {}
