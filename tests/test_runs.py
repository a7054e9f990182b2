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
        runs.make(chosen[-1])

    assert len(set(chosen)) == 4
    assert all(path.parent.name == "runs" and path.name.startswith("digits-") for path in chosen)


def test_a_directory_that_exists_is_refused_and_left_alone(elsewhere):
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine" / "kept.txt").write_text("kept")

    with pytest.raises(FileExistsError, match=r"--run_dir mine exists.*fit --ckpt_path mine; nothing was changed"):
        runs.choose("mine", "digits")

    assert (elsewhere / "mine" / "kept.txt").read_text() == "kept"


def test_choosing_makes_nothing(elsewhere):
    runs.choose(None, "digits")
    runs.choose("mine", "digits")

    assert list(elsewhere.iterdir()) == []


def test_processes_that_the_first_one_launches_take_its_directory(monkeypatch):
    chosen = runs.choose(None, "digits")
    runs.make(chosen)
    monkeypatch.setattr(rank_zero_only, "rank", 1)

    assert runs.choose(None, "digits") == chosen
    assert runs.choose(str(chosen), "digits") == chosen


def test_a_run_of_the_same_process_does_not_inherit_the_directory_of_the_one_before():
    first = runs.choose("first", "digits")

    assert os.environ[runs.RUN_DIR_VARIABLE] == str(first)
    assert str(runs.choose("second", "digits")) == "second"


def test_a_directory_that_cannot_be_made_names_the_flag(elsewhere):
    (elsewhere / "file").write_text("")

    with pytest.raises(OSError, match=r"--run_dir file/run can not be made: Not a directory"):
        runs.make(elsewhere.joinpath("file", "run").relative_to(elsewhere))


def test_a_process_that_another_launcher_started_writes_nowhere_and_so_refuses_nothing(elsewhere, monkeypatch):
    (elsewhere / "mine").mkdir()
    monkeypatch.delenv(runs.RUN_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(rank_zero_only, "rank", 1)

    assert str(runs.choose("mine", "digits")) == "mine"


def test_a_directory_that_came_to_be_since_it_was_chosen_is_refused(elsewhere):
    chosen = runs.choose("mine", "digits")
    chosen.mkdir()

    with pytest.raises(OSError, match=r"--run_dir mine can not be made: File exists"):
        runs.make(chosen)


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
        chosen = runs.choose(name, "digits", resume=True)
        runs.make(chosen, exist_ok=True)

        assert chosen.is_dir()


def test_no_run_begins_among_files_of_the_users(elsewhere):
    (elsewhere / "own").mkdir()
    (elsewhere / "own" / "notes.txt").write_text("kept")

    for name in ("own", "own/notes.txt"):
        with pytest.raises(FileExistsError, match=rf"--run_dir {name} exists and is no run of lit_vae"):
            runs.choose(name, "digits", resume=True)
