"""How fast a model trains, by a clock that the test moves."""

import time

import pytest
from lightning.pytorch import Callback
from tiny import Kept

from lit_vae.callbacks import Throughput


@pytest.fixture
def clock(monkeypatch):
    """Time stands still but for what :class:`Slow` adds to its only entry."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


class Slow(Callback):
    """A batch takes two seconds, a validation a thousand, and what follows it another thousand."""

    def __init__(self, clock):
        self.clock = clock

    def on_before_zero_grad(self, *args):
        self.clock[0] += 2.0

    def on_validation_epoch_start(self, *args):
        self.clock[0] += 1000.0

    def on_validation_end(self, *args):
        self.clock[0] += 1000.0


def test_speed_is_that_of_training_without_validation(vae, data, make_short_trainer, clock):
    kept = Kept("_per_second")
    callbacks = [Throughput(), Slow(clock)]

    make_short_trainer(
        *callbacks, logger=kept, log_every_n_steps=3, limit_train_batches=4, max_epochs=3, num_sanity_val_steps=1
    ).fit(vae, data)

    assert kept.found == {
        "train/examples_per_second": dict.fromkeys((3, 6, 9, 12), pytest.approx(16.0)),
        "train/dims_per_second": dict.fromkeys((3, 6, 9, 12), pytest.approx(16.0 * 64)),
    }


def test_accumulated_batches_count_and_are_logged_once(vae, data, make_short_trainer, clock):
    kept, calls = Kept("examples_per_second"), []

    class Batches(Callback):
        def on_train_batch_start(self, *args):
            clock[0] += 4.0
            calls.append(clock[0])

    make_short_trainer(
        *(Batches(), Throughput()), logger=kept, log_every_n_steps=1, limit_train_batches=6, accumulate_grad_batches=2
    ).fit(vae, data)

    assert len(calls) == 6
    assert list(kept.found["train/examples_per_second"]) == [1, 2, 3]
    assert kept.found["train/examples_per_second"][2] == pytest.approx(64 / 8)


def test_nothing_is_counted_where_nothing_is_logged(vae, data, make_short_trainer):
    make_short_trainer(Throughput(), log_every_n_steps=1).fit(vae, data)


def test_only_logged_steps_are_counted_together_over_processes(vae, data, make_short_trainer, monkeypatch):
    counted = []
    kept = Kept("dims_per_second")
    trainer = make_short_trainer(Throughput(), logger=kept, log_every_n_steps=4, limit_train_batches=8)
    monkeypatch.setattr(
        trainer.strategy, "reduce", lambda counts, reduce_op: counted.append(counts.tolist()) or 3 * counts
    )

    trainer.fit(vae, data)

    assert list(kept.found["train/dims_per_second"]) == [4, 8]
    pairs = [found for found in counted if isinstance(found, list)]  # Lightning counts batches one by one
    assert pairs == [[4 * 32 * 64, 4 * 32]] * 2
