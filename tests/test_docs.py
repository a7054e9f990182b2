"""The head that the docs write works as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import torch

DOCS = Path(__file__).parents[1] / "docs"
SHORT = "--trainer.max_steps 2 --trainer.limit_val_batches 1 --examples.num 2"


def blocks(kind: str) -> list[str]:
    text = (DOCS / "write_a_head.md").read_text(encoding="utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, flags=re.DOTALL)


def test_the_head_is_about_thirty_lines():
    assert len([line for line in blocks("python")[0].splitlines() if line.strip()]) <= 30


def test_the_head_sums_to_one():
    space: dict[str, type] = {}
    exec(blocks("python")[0], space)
    head = space["BinomialPixelHead"](5, 17, (2, 3, 3))

    table = head(torch.randn(4, 3, 3, 5)).table()

    torch.testing.assert_close(table.exp().sum(-1), torch.ones(4, 2, 3, 3), atol=1e-5, rtol=0)


def test_the_head_trains_and_tests_from_its_own_file(tmp_path):
    (tmp_path / "photons.py").write_text(blocks("python")[0], encoding="utf-8")
    (tmp_path / "photons.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    commands = re.sub(r"(lit_vae fit .*)", rf"\1 {SHORT}", blocks("bash")[0])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "test/bits_per_dim" in done.stdout
