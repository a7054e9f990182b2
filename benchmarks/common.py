"""What every benchmark shares: interleaved timing, peak memory, a table and a JSON file."""

import ctypes
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

OUT = Path(__file__).parent / "out"
Work = Callable[[], Any]


def interleaved(
    works: Mapping[Any, Work], rounds: int, warmup: int = 1, clock: Callable[[], float] = time.perf_counter
) -> dict[Any, float]:
    """Median seconds of each piece of work, taken in turn, so that a slow minute of the machine slows all alike.

    Args:
        works: What is timed.
        rounds: How often each.
        warmup: How often each beforehand, untimed.
        clock: What is read before and after; ``time.process_time`` for work on one core of a busy machine.
    """
    seconds: dict[Any, list[float]] = {name: [] for name in works}
    for count in range(-warmup, rounds):
        for name, work in works.items():
            synchronize()
            start = clock()
            work()
            synchronize()
            if count >= 0:
                seconds[name].append(clock() - start)
    return {name: statistics.median(each) for name, each in seconds.items()}


def synchronize() -> None:
    """Wait for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_bytes(work: Work, device: str = "cpu") -> int:
    """Most memory in use during the work beyond what was in use before it; on a CPU, of the whole process (Linux).

    Args:
        work: What is measured; run it once before, so that libraries have allocated what they keep.
        device: Where its tensors lie.
    """
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is in use now
    before = resident("VmRSS")
    work()
    return resident("VmHWM") - before


def resident(field: str) -> int:
    """A field of the process's memory status, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def machine(device: str = "cpu") -> str:
    """Processor, threads and torch, in one line."""
    if device != "cpu":
        name = torch.cuda.get_device_name()
    else:
        cpuinfo = Path("/proc/cpuinfo")
        models = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = f"{(models or [platform.machine()])[0]}, {torch.get_num_threads()} threads"
    return f"{name}, torch {torch.__version__}"


def publish(name: str, rows: Sequence[Mapping[str, Any]], device: str = "cpu") -> None:
    """Print the rows as a Markdown table and write them to ``benchmarks/out/NAME.json``.

    Args:
        name: Of the benchmark.
        rows: All with the same columns.
        device: Where it ran.
    """
    print(f"\n{name} ({machine(device)})\n")
    print(markdown(rows))
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps({"machine": machine(device), "rows": list(rows)}, indent=1) + "\n")


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table."""
    cells = [[f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
