"""Files that are whole, or are not there."""

import os
import stat
from pathlib import Path

import pytest
import torch

from lit_vae import files
from lit_vae.damage import Damaged
from lit_vae.files import Remembering, WholeCheckpointIO, replacing, write_tensors


def test_a_file_takes_the_place_of_another_once_it_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    with replacing(path) as unfinished:
        unfinished.write_text("new")
        before = path.read_text()

    assert (before, path.read_text()) == ("old", "new")
    assert list(tmp_path.iterdir()) == [path]


def write_half(path):
    with replacing(path) as unfinished:
        unfinished.write_text("ne")
        raise OSError(28, "No space left on device")


def test_an_error_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    with pytest.raises(OSError, match=r"No space left on device: '.*file\.txt'"):
        write_half(path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_keeps_its_suffix(tmp_path):
    with replacing(tmp_path / "picture.png") as unfinished:
        unfinished.write_text("")

        assert unfinished.suffix == ".png"


def test_a_checkpoint_is_written_whole_into_a_folder_that_is_made(tmp_path):
    WholeCheckpointIO().save_checkpoint({"state_dict": {"w": torch.ones(2)}}, str(tmp_path / "new" / "last.ckpt"))

    assert torch.equal(torch.load(tmp_path / "new" / "last.ckpt", weights_only=True)["state_dict"]["w"], torch.ones(2))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["last.ckpt"]


def test_a_link_is_replaced_and_what_it_points_at_stays(tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    for name in ("last.ckpt", ".last.unfinished.ckpt"):
        (tmp_path / name).symlink_to(precious)

    write_tensors({"w": torch.ones(2)}, tmp_path / "last.ckpt")

    assert precious.read_text() == "mine"
    assert not (tmp_path / "last.ckpt").is_symlink()


def test_an_unfinished_file_does_not_follow_a_link_that_has_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "0")
    (tmp_path / "precious.txt").write_text("mine")
    (tmp_path / ".file.unfinished-0.txt").symlink_to(tmp_path / "precious.txt")

    with pytest.raises(FileExistsError, match=r"file\.txt"), replacing(tmp_path / "file.txt") as unfinished:
        unfinished.write_text("new")

    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_two_that_write_one_file_do_not_mix(tmp_path):
    path = tmp_path / "file.txt"

    with replacing(path) as one:
        one.write_text("o")
        with replacing(path) as other:
            other.write_text("other")
        between = path.read_text()
        one.write_text("one")

    assert (between, path.read_text()) == ("other", "one")
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    left, others = tmp_path / ".file.unfinished-00.txt", tmp_path / ".file.unfinished-00.csv"
    left.write_text("hal")
    others.write_text("hal")

    with replacing(tmp_path / "file.txt") as one, replacing(tmp_path / "file.txt"):
        there = [one.exists(), left.exists(), others.exists()]

    assert there == [True, False, True]


def test_a_new_file_has_the_permissions_of_any_and_a_later_one_those_of_the_one_before(tmp_path):
    path, ordinary = tmp_path / "file.txt", tmp_path / "ordinary.txt"
    ordinary.touch()

    modes = []
    for _ in range(2):
        with replacing(path) as unfinished:
            unfinished.write_text("")
        modes.append(path.stat().st_mode)
        path.chmod(0o640)

    assert modes == [ordinary.stat().st_mode, stat.S_IFREG | 0o640]


def test_file_and_folder_are_on_the_disk_before_and_after_the_file_takes_its_place(tmp_path, monkeypatch):
    order, sync, take = [], os.fsync, Path.replace
    monkeypatch.setattr("os.fsync", lambda held: (order.append(stat.S_IFMT(os.fstat(held).st_mode)), sync(held)))
    monkeypatch.setattr(Path, "replace", lambda self, other: (order.append("replace"), take(self, other))[1])

    with replacing(tmp_path / "file.txt") as unfinished:
        unfinished.write_text("new")

    assert order == [stat.S_IFREG, "replace", stat.S_IFDIR]


def test_torch_says_why_it_cannot_write(tmp_path, monkeypatch):
    old = tmp_path / "last.ckpt"
    old.write_text("old")

    with monkeypatch.context() as patch:
        patch.setattr(files, "Remembering", lambda path, mode: Remembering("/dev/full", mode))
        with pytest.raises(OSError, match=r"No space left on device: '.*last\.ckpt'"):
            write_tensors({"w": torch.ones(100_000)}, old)

    assert old.read_text() == "old"


def test_a_damaged_checkpoint_is_not_read(tmp_path):
    path = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint({"state_dict": {"w": torch.arange(1000.0)}}, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(1000.0).numpy().tobytes()[400:440])] ^= 1
    path.write_bytes(content)

    with pytest.raises(Damaged, match="CRC"):
        WholeCheckpointIO().load_checkpoint(path, weights_only=True)
