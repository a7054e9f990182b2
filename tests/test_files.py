"""Files that are whole, or are not there."""

import pytest
import torch

from lit_vae.files import WholeCheckpointIO, replacing


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
