"""The family of decoder heads as a table."""

import inspect

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from lit_vae import heads


def show(args: list[str]) -> None:
    """Print each head: the data it is for, how many numbers describe a pixel or token, its unit, when to use it."""
    if args and args[0] not in ("-h", "--help"):
        raise ValueError(f"heads takes no arguments, got {' '.join(args)}")
    names, unit = Column("lit_vae.heads.", no_wrap=True), Column("unit", no_wrap=True)
    table = Table(names, "data", "numbers", unit, "when to use it", box=SIMPLE, padding=(0, 1, 0, 0))
    for head in (getattr(heads, name) for name in heads.__all__):
        if not inspect.isabstract(head):
            table.add_row(head.__name__, head.data, head.numbers, head.rate_name, head.when)
    console = Console()
    console.print(table)
    console.print("C channels, K components, V values. Measurements: docs/heads.md", highlight=False)
