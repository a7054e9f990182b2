"""The metrics of a run in one CSV file."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from lit_vae.csv_table import CSVTable

NAME = "metrics.csv"


class MetricsFile(Logger):
    """Writes ``metrics.csv``, a row for each optimizer step at which something was logged.

    It is on the disk, and not only on its way there, after each validation. A run that is resumed goes on in the same
    file. What it held of later steps than the one that training resumes from
    is dropped: those steps are taken again.

    Args:
        folder: The run directory.
        resumed_at: The step that training resumes from; None for a new run.
    """

    def __init__(self, folder: str, resumed_at: int | None = None) -> None:
        super().__init__()
        self._folder = folder
        taken = -1 if resumed_at is None else resumed_at
        self._table = CSVTable(Path(folder) / NAME, key="step", keep=lambda row: int(row["step"]) <= taken)

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return self._folder

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write some metrics; their step must be known."""
        assert step is not None
        whole = {"step": step} | ({"epoch": int(metrics["epoch"])} if "epoch" in metrics else {})
        self._table.add(whole | {name: float(metrics[name]) for name in sorted(metrics) if name not in whole})
        if any(name.startswith("val/") for name in metrics):
            self._table.sync()

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: ``config.yaml`` lies beside the file."""
