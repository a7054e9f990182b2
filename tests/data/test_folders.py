"""Finding the folder that a user named."""

from pathlib import Path

import pytest

from lit_vae.data.folders import existing_folder


def test_a_folder_that_is_there_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert existing_folder(str(tmp_path)) == tmp_path
    assert existing_folder("~") == tmp_path


def test_the_first_part_that_is_missing_is_named_with_its_near_misses(tmp_path):
    (tmp_path / "pictures" / "cats").mkdir(parents=True)

    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} has no picture \(there is pictures\); .*--data\.root"):
        existing_folder(str(tmp_path / "picture" / "cats"))


def test_what_else_would_help_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FileNotFoundError, match=rf"data: {Path.cwd()} has no data; .*, or pay"):
        existing_folder("data", "or pay")
