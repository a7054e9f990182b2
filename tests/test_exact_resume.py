"""Wherever a run is interrupted, it ends as if it had not been, to the last bit."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import resuming
from contracts.registry import BALANCES, SCHEDULES
from lightning.pytorch.callbacks import Checkpoint
from resuming import CARRY_NOTHING, RECIPES, differences, faults, train

from lit_vae import callbacks, regularizers, schedules
from lit_vae.cli.quiet import quieten

WORKER = Path(resuming.__file__)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        quieten()
        yield


def few(places):
    """The first batch, and the end of the second validation."""
    validations = [place for place in places if "validation" in place.name]
    return [places[0], *validations[1:2]]


def every(places):
    return places


def assert_exact(found):
    assert found
    assert {place: lines[:5] for place, lines in found.items() if lines} == {}


FUNCTIONS_OF_THE_STEP = ("StepLR", "WarmupCosine", "Linear", "Logistic", "Cyclical", "SquareBalance")
DEAR = ("workers", "steps, validated at the end", "batch norm, dropout")
"""What others hold, too; the slow test looks at it."""


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in (*FUNCTIONS_OF_THE_STEP, *DEAR)])
def test_a_run_goes_on_as_if_it_had_not_been_interrupted(name, tmp_path):
    assert_exact(faults(name, tmp_path, few))


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_run_goes_on_exactly_from_each_of_its_places(name, tmp_path):
    assert_exact(faults(name, tmp_path, every))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_two_processes_go_on_exactly_from_each_of_their_places(part, tmp_path):
    command = [sys.executable, str(WORKER), "two", str(tmp_path), *list(RECIPES)[part::4]]

    done = subprocess.run(command, timeout=3000, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


class Fail(Checkpoint):
    """Fails at the end of the second validation, when everything else has taken it in."""

    def __init__(self):
        self.validations = 0

    def on_validation_end(self, trainer, *args):
        self.validations += not trainer.sanity_checking
        if self.validations == 2:
            raise OSError("no space left")


@pytest.mark.parametrize("name", ["ReduceLROnPlateau", "EarlyStopping", "AggressiveEncoder"])
def test_a_validation_whose_end_failed_is_taken_in_once(name, tmp_path):
    folders = [tmp_path / part for part in ("whole", "broken")]
    for folder in folders:
        folder.mkdir()
    expected = train(name, folders[0])

    with pytest.raises(OSError, match="no space left"):
        train(name, folders[1], None, None, callbacks.KeepLast(folders[1]), Fail())

    assert differences(train(name, folders[1], folders[1] / "last.ckpt"), expected) == []


def test_no_part_that_may_carry_state_is_left_out():
    """A new callback, schedule, objective or regularizer has a recipe here, or a reason to have none."""
    text = WORKER.read_text(encoding="utf-8")
    parts = {
        *callbacks.__all__,
        *(name for name in regularizers.__all__ if name not in ("Pass", "Regularizer", "penalties")),
        *(type(make()).__name__ for make in (*SCHEDULES.values(), *BALANCES.values())),
        *(name for name, part in vars(schedules).items() if getattr(part, "__module__", "") == schedules.__name__),
    }

    used = {name for name in parts if f"{name}(" in text or f"{name}," in text}

    assert parts - used - CARRY_NOTHING.keys() - {"Constant"} == set()
