"""Where runs go."""

import os

import pytest
from lightning.pytorch.utilities import rank_zero_only

from lit_vae import runs


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    return tmp_path


def test_a_run_that_the_user_names_is_taken_by_name():
    assert str(runs.choose("mine/first", "digits")) == "mine/first"


def test_a_run_that_nobody_names_has_a_new_directory_each_time():
    chosen = []

    for _ in range(4):
        chosen.append(runs.choose(None, "digits"))
        chosen[-1].mkdir(parents=True)

    assert len(set(chosen)) == 4
    assert all(path.parent.name == "runs" and path.name.startswith("digits-") for path in chosen)


def test_a_directory_that_exists_is_refused_and_left_alone(elsewhere):
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine" / "kept.txt").write_text("kept")

    with pytest.raises(
        FileExistsError, match=r"--run_dir mine exists and is no run of lit_vae: .*; nothing was changed"
    ):
        runs.choose("mine", "digits")

    assert (elsewhere / "mine" / "kept.txt").read_text() == "kept"


def test_choosing_makes_nothing(elsewhere):
    runs.choose(None, "digits")
    runs.choose("mine", "digits")

    assert list(elsewhere.iterdir()) == []


def test_processes_that_the_first_one_launches_take_its_directory(monkeypatch):
    chosen = runs.choose(None, "digits")
    chosen.mkdir(parents=True)
    monkeypatch.setattr(rank_zero_only, "rank", 1)

    assert runs.choose(None, "digits") == chosen
    assert runs.choose(str(chosen), "digits") == chosen


def test_a_run_of_the_same_process_does_not_inherit_the_directory_of_the_one_before():
    first = runs.choose("first", "digits")

    assert os.environ[runs.RUN_DIR_VARIABLE] == str(first)
    assert str(runs.choose("second", "digits")) == "second"


def test_a_process_that_another_launcher_started_writes_nowhere_and_so_refuses_nothing(elsewhere, monkeypatch):
    (elsewhere / "mine").mkdir()
    monkeypatch.delenv(runs.RUN_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(rank_zero_only, "rank", 1)

    assert str(runs.choose("mine", "digits")) == "mine"


def test_a_checkpoint_tells_its_run(elsewhere):
    (elsewhere / "run").mkdir()
    (elsewhere / "run" / "config.yaml").write_text("")

    assert runs.of_checkpoint(elsewhere / "run" / "checkpoints" / "last.ckpt") == elsewhere / "run"
    assert runs.of_checkpoint(elsewhere / "last.ckpt") is None
    assert runs.of_checkpoint(elsewhere / "downloads" / "checkpoints" / "last.ckpt") is None
    assert runs.of_checkpoint(elsewhere / "run" / "hpc_ckpt_1.ckpt") == elsewhere / "run"
    assert runs.of_checkpoint(elsewhere / "hpc_ckpt_1.ckpt") is None


def test_a_run_may_begin_again_in_an_empty_directory_or_its_own(elsewhere):
    (elsewhere / "empty").mkdir()
    (elsewhere / "begun").mkdir()
    (elsewhere / "begun" / "config.yaml").write_text("")

    for name in ("empty", "begun", "new"):
        assert str(runs.choose(name, "digits", resume=True)) == name


def test_no_run_begins_among_files_of_the_users(elsewhere):
    (elsewhere / "own").mkdir()
    (elsewhere / "own" / "notes.txt").write_text("kept")

    for name in ("own", "own/notes.txt"):
        with pytest.raises(FileExistsError, match=rf"--run_dir {name} exists and is no run of lit_vae"):
            runs.choose(name, "digits", resume=True)


@pytest.mark.parametrize(
    ("holds", "says"),
    [
        (["config.yaml", "checkpoints/last.ckpt"], "holds a run: go on with it with .* fit --ckpt_path mine"),
        (["config.yaml"], "nothing was trained yet: begin it with .* fit --ckpt_path mine"),
        ([".lock"], "exists: name another, or add --resume auto"),
        ([], "exists: name another, or add --resume auto"),
    ],
)
def test_a_directory_that_exists_says_what_goes_on_in_the_state_that_it_is_in(elsewhere, holds, says):
    (elsewhere / "mine" / "checkpoints").mkdir(parents=True)
    for name in holds:
        (elsewhere / "mine" / name).write_text("")
    if not any("/" in name for name in holds):
        (elsewhere / "mine" / "checkpoints").rmdir()

    with pytest.raises(FileExistsError, match=f"--run_dir mine .*{says}.*; nothing was changed"):
        runs.choose("mine", "digits")
