"""Lines for the person at the console."""

import sys

from lightning.pytorch.utilities import rank_zero_only


@rank_zero_only
def notice(text: str) -> None:
    """Print a line once for all processes, to stderr: what a verb writes to its output stays as it is."""
    print(text, file=sys.stderr, flush=True)
