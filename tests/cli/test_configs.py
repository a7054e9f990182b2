"""configs: the packaged ones by name, and a user's own."""

import pytest

from lit_vae.cli import configs


def test_every_packaged_config_is_listed_with_a_line_on_it(cli):
    answer = cli("configs")

    lines = dict(line.split(maxsplit=1) for line in answer.out.splitlines())
    assert answer.status == 0
    assert list(lines) == configs.names()
    assert {"digits.yaml", "sentences.yaml"} <= lines.keys()
    assert all(len(line) > 20 for line in lines.values())


def test_overlays_come_last_under_their_folders_name(cli):
    names = configs.names()

    assert [name for name in names if "/" in name] == names[-sum("/" in name for name in names) :]
    assert "overlays/softmax.yaml" in names


@pytest.mark.parametrize("name", ["digits.yaml", "digits", "overlays/softmax.yaml", "overlays/softmax"])
def test_a_packaged_config_goes_by_its_name(cli, name):
    assert configs.resolve(name).is_file()
    assert configs.resolve(name).is_relative_to(configs.folder())


def test_a_file_of_the_users_goes_before_a_packaged_one(cli):
    (cli.folder / "digits.yaml").write_text("data: {}")

    assert configs.resolve("digits.yaml").read_text() == "data: {}"


def test_an_unknown_name_answers_with_the_near_misses(cli):
    answer = cli("fit", "--config", "digit.yaml")

    assert answer.status == 2
    assert "--config digit.yaml: no such file, nor a packaged config; near misses: digits.yaml" in answer.err
    assert "python -m lit_vae configs lists them" in answer.err


def test_configs_takes_no_arguments(cli):
    assert cli("configs", "digits").err == "error: configs takes no arguments, got digits\n"
