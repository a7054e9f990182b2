"""A run that a scheduler, or a closed terminal, ends."""

import os
import signal

import pytest
import torch
from lightning.pytorch import Callback

from lit_vae.callbacks import KeepLast, StopOnSignal

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def foreground():
    """What a shell starts in the background, as these tests may be, ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Send(Callback):
    """Sends this process a signal at one place of the fourth step, or of what follows it, as often as is said."""

    def __init__(self, signum: int, where: str, times: int = 1) -> None:
        self.signum = signum
        self.where = where
        self.left = times

    def _send(self, trainer, where):
        if trainer.global_step == (3 if where == "on_after_backward" else 4) and where == self.where:
            while self.left:
                self.left -= 1
                os.kill(os.getpid(), self.signum)

    def on_after_backward(self, trainer, *args):
        self._send(trainer, "on_after_backward")

    def on_train_batch_end(self, trainer, *args):
        self._send(trainer, "on_train_batch_end")

    def on_validation_batch_start(self, trainer, *args):
        self._send(trainer, "on_validation_batch_start")

    def on_save_checkpoint(self, trainer, *args):
        self._send(trainer, "on_save_checkpoint")


@pytest.fixture
def stop(vae, data, make_short_trainer, tmp_path):
    """Trains until a signal ends it; returns the status and the steps in the checkpoint."""

    def fit(*callbacks, **limits):
        keep_last = KeepLast(tmp_path / "run" / "checkpoints")
        trainer = make_short_trainer(
            *callbacks, keep_last, StopOnSignal(keep_last), **{"max_epochs": 9, "limit_train_batches": 4, **limits}
        )
        with pytest.raises(SystemExit) as end:
            trainer.fit(vae, data)
        last = keep_last.path
        return end.value.code, torch.load(last, weights_only=True)["global_step"] if last.exists() else None

    return fit


@pytest.mark.parametrize("signum", list(STATUS))
@pytest.mark.parametrize("where", ["on_after_backward", "on_train_batch_end", "on_validation_batch_start"])
def test_a_signal_ends_the_run_after_the_step_with_a_checkpoint_and_its_own_status(
    stop, tmp_path, capsys, signum, where
):
    assert stop(Send(signum, where)) == (STATUS[signum], 4)

    said = "interrupted" if signum == signal.SIGINT else f"stopped by {signal.Signals(signum).name}"
    assert capsys.readouterr().out == (f"\n{said}; resume with: python -m lit_vae fit --ckpt_path {tmp_path / 'run'}\n")


def test_more_signals_change_nothing(stop):
    assert stop(Send(signal.SIGTERM, "on_after_backward", times=3)) == (143, 4)
    assert stop(Send(signal.SIGTERM, "on_save_checkpoint", times=2), Send(signal.SIGTERM, "on_train_batch_end")) == (
        143,
        4,
    )


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_accumulated_gradients_are_not_lost(stop, signum):
    status, steps = stop(Send(signum, "on_after_backward"), limit_train_batches=8, accumulate_grad_batches=2)

    assert (status, steps) == (STATUS[signum], 4)


def test_a_second_interruption_ends_at_once_and_leaves_the_last_whole_checkpoint(stop, tmp_path, capsys):
    class Last(Callback):
        def on_train_batch_end(self, trainer, *args):
            if trainer.global_step == 2:
                trainer.save_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")

    class SendInSecondBatch(Send):
        def on_after_backward(self, trainer, *args):
            if trainer.fit_loop.batch_idx % 2:
                super().on_after_backward(trainer, *args)

    sent = SendInSecondBatch(signal.SIGINT, "on_after_backward", times=2)
    status, steps = stop(sent, Last(), limit_train_batches=8, accumulate_grad_batches=2)

    assert (status, steps) == (1, 2)
    assert "a step that is broken off cannot be gone on with" in capsys.readouterr().out


def test_a_signal_after_the_last_step_lets_the_run_end(vae, data, make_short_trainer, tmp_path):
    keep_last = KeepLast(tmp_path)
    trainer = make_short_trainer(
        Send(signal.SIGTERM, "on_train_batch_end"),
        keep_last,
        StopOnSignal(keep_last),
        max_epochs=2,
        limit_val_batches=0,
    )

    trainer.fit(vae, data)

    assert torch.load(keep_last.path, weights_only=True)["global_step"] == 4


def test_what_a_signal_breaks_is_not_what_ended_the_run(stop):
    class Fail(Callback):
        def on_train_batch_end(self, trainer, *args):
            if trainer.global_step == 4:
                os.kill(os.getpid(), signal.SIGTERM)
                raise RuntimeError("a worker was killed, too")

    assert stop(Fail()) == (143, 4)


def test_an_evaluation_is_not_over_when_it_is_stopped(vae, data, make_short_trainer, capsys):
    class SendInTest(Callback):
        def on_test_batch_start(self, *args):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as end:
        make_short_trainer(SendInTest(), StopOnSignal()).test(vae, data)

    assert end.value.code == 143
    assert capsys.readouterr().out == "\nstopped by SIGTERM\n"


def test_a_hangup_that_is_ignored_stays_so(vae, data, make_short_trainer):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trainer = make_short_trainer(Send(signal.SIGHUP, "on_train_batch_end"), StopOnSignal(), max_epochs=2)

        trainer.fit(vae, data)

        assert trainer.global_step == 4
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_signals_are_given_back(stop):
    before = [signal.getsignal(signum) for signum in STATUS]

    stop(Send(signal.SIGTERM, "on_train_batch_end"))

    assert [signal.getsignal(signum) for signum in STATUS] == before
