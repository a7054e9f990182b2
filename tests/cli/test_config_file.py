"""A run directory without a checkpoint is begun by its config, which may be a stranger's."""

import sys

import pytest

from lit_vae.trust.config_file import content_of, signed
from lit_vae.trust.signature import is_own

MODULE = "begun_by_a_stranger"


@pytest.fixture
def module(cli, monkeypatch):
    """A module beside the run, with an objective in it."""
    (cli.folder / f"{MODULE}.py").write_text("from lit_vae.objectives import ELBO\n\n\nclass Own(ELBO):\n    pass\n")
    monkeypatch.syspath_prepend(str(cli.folder))
    yield cli.config("pictures", model__objective__class_path=f"{MODULE}.Own")
    sys.modules.pop(MODULE, None)


def begin(cli, config, sign):
    run = cli.folder / "run"
    run.mkdir()
    text = config.read_text()
    (run / "config.yaml").write_text(signed(text) if sign else text)


def test_an_unsigned_one_names_no_module_of_its_own(cli, module):
    begin(cli, module, sign=False)

    answer = cli("fit", "--ckpt_path", "run")

    assert answer.status == 2
    assert f"--trust {MODULE}" in answer.err
    assert MODULE not in sys.modules


def test_a_signed_one_does(cli, module):
    begin(cli, module, sign=True)

    answer = cli("fit", "--ckpt_path", "run")

    assert (answer.status, MODULE in sys.modules) == (0, True), answer.err


def test_the_signature_is_of_every_letter(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(signed("model: 1\n"))
    assert is_own(content_of(file))
    file.write_text(file.read_text().replace("model: 1", "model: 2"))
    assert not is_own(content_of(file))
    file.write_text("model: 1\n")
    assert content_of(file) == {"config": "model: 1\n"}
