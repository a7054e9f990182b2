"""Processes that share the parts of a source, while a bar shows how far they are."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from lit_vae.corpora.sources import Part

Result = TypeVar("Result")


class Workers:
    """Applies a function to each part, in order, in as many processes as are of use.

    Processes start when they are first needed, and live until the ``with`` block of the workers ends, or, outside of
    one, until the parts are done.

    Args:
        most: Most processes; None for one a core that this process may run on.
        bar: Whether a bar is shown, on a terminal.

    Raises:
        ValueError: If ``most`` is less than 1.
    """

    def __init__(self, most: int | None = None, bar: bool = True) -> None:
        if most is not None and most < 1:
            raise ValueError(
                f"data.init_args.tokenize_processes counts up from 1, or is null for one a core, got {most}"
            )
        self.most = most or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0])
        self.bar = bar
        self._blocks = 0
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        self._blocks += 1
        return self

    def __exit__(self, *reason: object) -> None:
        self._blocks -= 1
        if self._blocks == 0 and self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def map(self, function: Callable[[Part], Result], parts: Sequence[Part], doing: str) -> Iterator[Result]:
        """What the function makes of each part, in the order of the parts; at most a few wait to be taken.

        Args:
            function: Can be pickled.
            parts: The parts.
            doing: Said beside the bar.

        Raises:
            RuntimeError: If a process died.
        """
        with self, progress(self.bar) as shown:
            task = shown.add_task(doing, total=sum(part.size for part in parts))
            results = map(function, parts) if min(self.most, len(parts)) <= 1 else self._shared(function, parts)
            for part, result in zip(parts, results, strict=True):
                shown.advance(task, part.size)
                yield result

    def _shared(self, function: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        """As ``map``, in processes."""
        if self._pool is None:
            # Fresh processes: a fork would copy the locks of torch's and loggers' threads in whatever state they are.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(min(self.most, len(parts)), context, initializer=leave_other_cores)
        waiting: deque[Future[Result]] = deque()
        try:
            for part in parts:
                waiting.append(self._pool.submit(function, part))
                if len(waiting) > 2 * self.most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise RuntimeError(
                "a process that tokenizes died: too little memory, or a script that fits a model at its top level and "
                "not under `if __name__ == '__main__':`; data.init_args.tokenize_processes=1 uses no other process"
            ) from None


def progress(wanted: bool) -> Progress:
    """A bar on the terminal that goes when its work is done."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (wanted and console.is_terminal),
    )


def leave_other_cores() -> None:
    """Leave the other cores to the other processes."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
