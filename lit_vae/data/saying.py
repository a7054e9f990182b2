"""What a data module tells the person at the console."""

import sys

from lightning.pytorch.utilities import rank_zero_only


@rank_zero_only
def say(text: str) -> None:
    """A line beside whatever a verb writes to its output."""
    print(text, file=sys.stderr)
