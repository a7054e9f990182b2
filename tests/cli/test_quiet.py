"""What a warning looks like on the command line."""

import warnings

from lit_vae.cli.quiet import PACKAGE, quieten


def test_a_warning_of_our_own_is_one_line_without_a_place_in_our_code():
    quieten()

    shown = [warnings.formatwarning("2 were dropped", UserWarning, f"{at}/file.py", 7) for at in (PACKAGE, "/other")]

    assert shown == ["warning: 2 were dropped\n", "/other/file.py:7: UserWarning: 2 were dropped\n"]
