"""What a warning looks like on the command line."""

import os
import warnings

import pytest

from lit_vae.cli.quiet import PACKAGE, quieten


def test_a_warning_of_our_own_is_one_line_without_a_place_in_our_code():
    quieten()

    shown = [warnings.formatwarning("2 were dropped", UserWarning, f"{at}/file.py", 7) for at in (PACKAGE, "/other")]

    assert shown == ["warning: 2 were dropped\n", "/other/file.py:7: UserWarning: 2 were dropped\n"]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bars_of_the_datasets_library_are_for_terminals(monkeypatch, terminal):
    name = "HF_DATASETS_DISABLE_PROGRESS_BARS"
    monkeypatch.setenv(name, "")  # so that what is set is undone
    monkeypatch.delenv(name)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)

    quieten()

    assert (name in os.environ) is not terminal
