"""An optimizer step is that of one process and one batch, however its examples are shared out and accumulated."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from whole_step_worker import CASES, COUPLED, LINEAR, SHARES, accumulated, alone, texts, trained

WORKER = Path(__file__).with_name("whole_step_worker.py")


@pytest.fixture(autouse=True)
def quiet(make_trainer):
    """Lightning says nothing about trainers without a validation."""


def assert_same_training(name, found):
    """Float64, so that only another law is seen at 1e-9, and not the order of a sum, which moves the 16th digit."""
    expected, start = alone(name), trained(name, [], devices=1)
    assert max((expected[key] - start[key]).abs().max().item() for key in start if key.endswith("weight")) > 1e-4
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_two_processes_with_uneven_shares_train_as_one(tmp_path):
    """All cases in one: starting the processes takes longest."""
    file = tmp_path / "weights.pt"
    subprocess.run([sys.executable, str(WORKER), str(file)], check=True, timeout=300, stderr=subprocess.DEVNULL)

    shared_out = torch.load(file, weights_only=True)

    assert shared_out.keys() == CASES.keys()
    for name, found in shared_out.items():
        assert_same_training(name, found)


@pytest.mark.parametrize("name", LINEAR)
def test_accumulated_batches_of_uneven_sizes_train_as_one(name):
    assert_same_training(name, accumulated(name))


@pytest.mark.parametrize("name", COUPLED)
def test_what_looks_at_a_batch_as_a_whole_says_once_that_it_sees_accumulated_batches_alone(name, capsys):
    accumulated(name)

    said = capsys.readouterr().err
    assert said.count("sees each accumulated batch by itself") == 1


@pytest.mark.parametrize("name", ["texts per symbol", "pictures per example"])
def test_the_gradient_is_whole_before_it_is_clipped_or_looked_at(name):
    class Lengths(Callback):
        def __init__(self):
            self.seen = []

        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            self.seen.append(torch.nn.utils.get_total_norm([weight.grad for weight in pl_module.parameters()]).item())

    watched, watched_parts = Lengths(), Lengths()

    whole = alone(name, gradient_clip_val=1e-3, callbacks=[watched])
    parts = accumulated(name, gradient_clip_val=1e-3, callbacks=[watched_parts])

    assert watched_parts.seen == pytest.approx(watched.seen, rel=1e-9)
    assert min(watched.seen) > 1e-3
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-9)


def test_a_last_step_of_fewer_batches_than_are_accumulated_is_whole_too():
    name = "texts per symbol"

    whole, parts = (
        trained(name, [texts(0)[part] for part in cut], devices=1, accumulate_grad_batches=len(cut) + more)
        for cut, more in (((slice(None),), 0), (SHARES, 2))
    )

    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-9)
