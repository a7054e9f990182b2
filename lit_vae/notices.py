"""Lines for the person at the console."""

import sys

from lightning.pytorch.utilities import rank_zero_only


@rank_zero_only
def notice(text: str, of_result: bool = False) -> None:
    """Print a line once for all processes.

    Args:
        text: The line.
        of_result: Whether it belongs to what a verb reports; otherwise it goes to stderr, beside that.
    """
    print(text, file=sys.stdout if of_result else sys.stderr, flush=True)
