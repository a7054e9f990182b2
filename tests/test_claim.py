"""A run directory is made for one process, and locked for as long as that lives."""

import os
import subprocess
import sys

import pytest
from lightning.pytorch.utilities import rank_zero_only

from lit_vae import run_lock, runs
from lit_vae.claim import Claim
from lit_vae.run_lock import RunLock

HOLD = """
import multiprocessing, os, sys, time
from pathlib import Path
from lit_vae.run_lock import RunLock
RunLock(Path(sys.argv[1])).acquire()
worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
worker.start()
print(worker.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    return tmp_path


@pytest.fixture
def holder(tmp_path):
    """Another process, with a worker of its own, that holds the lock of the folder."""
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], **pipe)
    worker = int(process.stdout.readline())
    yield process
    process.kill()
    os.kill(worker, 9)  # it holds the other ends of the pipes
    process.communicate()


def test_a_second_process_is_refused_until_the_first_is_dead(holder, tmp_path):
    lock = RunLock(tmp_path)

    with pytest.raises(BlockingIOError, match=rf"is being trained by process {holder.pid} on .* since .*; nothing was"):
        lock.acquire()
    holder.kill()  # its worker lives on
    holder.wait()
    lock.acquire()

    assert f"process {os.getpid()} " in (tmp_path / ".lock").read_text()


def test_nothing_of_it_is_left_behind(tmp_path):
    lock = RunLock(tmp_path)

    for _ in range(2):
        lock.acquire()
        lock.release()

    assert list(tmp_path.iterdir()) == []


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    (tmp_path / ".lock").symlink_to(tmp_path / "kept.txt")

    with pytest.raises(OSError, match="symbolic link"):
        RunLock(tmp_path).acquire()

    assert (tmp_path / "kept.txt").read_text() == "kept"


def test_a_file_system_without_locks_is_told_of_and_trained_on(tmp_path, monkeypatch, capsys):
    def refuse(*args):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(run_lock.fcntl, "lockf", refuse)

    RunLock(tmp_path).acquire()

    assert "file system without locks (No locks available): nothing keeps a second" in capsys.readouterr().err


def test_two_runs_that_choose_one_name_at_once_get_two_directories(monkeypatch):
    chosen = []
    choose = runs.choose

    def choose_early(*args):
        chosen.append(choose(*args))
        if len(chosen) == 1:
            chosen[0].mkdir(parents=True)  # by the other one
        return chosen[-1]

    monkeypatch.setattr(runs, "choose", choose_early)
    claim = Claim()
    path = claim.start(None, "digits", again=False)

    assert path == chosen[1] != chosen[0]
    assert path.is_dir()


def test_one_of_two_that_name_the_same_directory_is_refused(elsewhere, monkeypatch):
    (elsewhere / "mine").mkdir()
    monkeypatch.setattr(runs, "choose", lambda *args: elsewhere / "mine")

    with pytest.raises(FileExistsError, match=r"--run_dir .*mine exists"):
        Claim().start("mine", "digits", again=False)


def test_a_training_that_never_begins_leaves_no_directory(elsewhere):
    with Claim() as claim:
        assert claim.start("some/where", "digits", again=False).is_dir()

    assert list(elsewhere.iterdir()) == []


def test_one_that_begins_leaves_it_unlocked(elsewhere):
    with Claim() as claim:
        claim.start("mine", "digits", again=False)
        claim.begin()

    assert list((elsewhere / "mine").iterdir()) == []


def test_what_others_put_there_stays(elsewhere):
    with Claim() as claim:
        claim.start("some/where", "digits", again=False)
        (elsewhere / "some" / "kept.txt").write_text("kept")

    assert [path.name for path in (elsewhere / "some").iterdir()] == ["kept.txt"]


def test_a_directory_that_cannot_be_made_names_the_flag(elsewhere):
    (elsewhere / "file").write_text("")

    with pytest.raises(OSError, match=r"--run_dir file/run can not be made: Not a directory"):
        Claim().start("file/run", "digits", again=False)


def test_other_processes_claim_nothing(elsewhere, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)

    with Claim() as claim:
        claim.start("mine", "digits", again=False)
        claim.go_on(elsewhere)

    assert list(elsewhere.iterdir()) == []
