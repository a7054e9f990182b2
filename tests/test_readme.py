"""The README's blocks run as they stand; training is cut short where a test cannot wait for its numbers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
SHORT = "--trainer.limit_train_batches 2 --trainer.limit_val_batches 1 --trainer.max_epochs 1 --examples.num 2"


@pytest.fixture
def user(tmp_path):
    """A directory with the user's own data, and an environment in which `python` is this one."""
    pictures = tmp_path / "my" / "pictures"
    pictures.mkdir(parents=True)
    for number in range(40):
        levels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(levels).save(pictures / f"{number}.png")
    lines = "\n".join(f"line {number} of a text of my own" for number in range(200))
    (tmp_path / "my" / "lines.txt").write_text(lines, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return tmp_path, {**os.environ, "PATH": path, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}


def test_the_two_commands_of_the_first_screen_are_the_projects_own():
    kind, block = BLOCKS[0]

    assert kind == "bash"
    assert block.split() == ["bash", "scripts/demo.sh", "bash", "scripts/test.sh"]
    assert "bash scripts/test.sh" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_demo_ends_by_saying_what_was_reached_and_what_to_try_next():
    words = ["bash", "scripts/demo.sh", *SHORT.split()]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True)

    assert re.search(r"test bits/dim: \d+\.\d+", done.stdout)
    pictures = re.search(r"pictures: +(\S+samples\.png)", done.stdout)
    assert pictures is not None
    assert (ROOT / pictures[1]).stat().st_size > 0


def test_the_blocks_run_one_after_the_other_as_they_stand(user):
    home, environment = user

    for kind, block in BLOCKS[1:]:
        if kind == "bash":
            words = ["bash", "-euo", "pipefail", "-c", re.sub(r"(lit_vae fit .*)", rf"\1 {SHORT}", block)]
        else:
            words = [sys.executable, "-c", block]

        done = subprocess.run(
            words, cwd=home, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

        assert done.returncode == 0, f"{block}\n{done.stderr}"
