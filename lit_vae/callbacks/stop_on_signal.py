"""An orderly end where a scheduler, an operating system or a closed terminal asks for one."""

import atexit
import os
import signal
import threading
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_vae.callbacks.keep_last import KeepLast
from lit_vae.vae import LitVAE

SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(SystemExit):
    """Ends the process with the status that a shell gives to one that a signal ended.

    That is 130 for SIGINT, 143 for SIGTERM and 129 for SIGHUP.

    Args:
        signum: The signal.
    """

    def __init__(self, signum: signal.Signals) -> None:
        super().__init__(128 + signum)
        self.signum = signum


class StopOnSignal(Callback):
    """Ends training before the next step, and an evaluation before the next batch, at the first signal.

    That is Ctrl-C (SIGINT), SIGTERM or SIGHUP. A step, a validation's batch or a checkpoint that is under way is
    finished; with accumulated gradients, the optimizer's step. A second Ctrl-C ends it at once, and so does the first
    one before training has begun. Other signals that follow change nothing, and one that comes after the last step lets
    the run end as ever.
    Of several processes the first decides: the others let the signal pass, and those that it launched are ended by it.
    A SIGHUP that is ignored, as under ``nohup``, remains so.

    Args:
        keep_last: Writes the checkpoint and says how to go on from it; None where nothing is trained.
    """

    def __init__(self, keep_last: KeepLast | None = None) -> None:
        self._keep_last = keep_last
        self._received: signal.Signals | None = None
        self._first = False

    def _listen(self, trainer: Trainer) -> None:
        """Take the place of Lightning's handlers, which it takes back when it ends."""
        self._first = trainer.is_global_zero
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in SIGNALS:
            if signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, self._note_interrupt if signum == signal.SIGINT else self._note)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._received = self._received or signal.Signals(signum)

    def _note_interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self._received is not None:
            signal.default_int_handler(signum, frame)
        self._note(signum, frame)
        if self._first:  # not by print, in the middle of which it may have come
            os.write(2, b"\nending after this step; Ctrl-C again ends at once\n")

    def _stop(self, trainer: Trainer) -> None:
        if self._received is not None and trainer.is_global_zero:
            raise Stopped(self._received)

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._stop(trainer)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        # in the middle of a step, other processes have gradients that this one cannot save: it ends after the step
        if not isinstance(pl_module, LitVAE) or pl_module.step_under_way.can_be_saved_alone():
            self._stop(trainer)

    on_test_batch_start = on_validation_batch_start

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self._received is None or isinstance(exception, KeyboardInterrupt):
            return
        if not trainer.is_global_zero:
            # its status would make Lightning kill the first process, which may still be writing
            raise SystemExit(0) from exception
        # whatever else the signal led to, such as workers that it ended, too
        what = "interrupted" if self._received == signal.SIGINT else f"stopped by {self._received.name}"
        if self._keep_last is None:
            print(f"\n{what}", flush=True)
        else:
            self._keep_last.rescue(trainer, exception)
            self._keep_last.say(what)
        if trainer.strategy.launcher is not None:
            # they wait for this process; Lightning would kill it soon after them, and a logger may still be writing
            atexit.register(trainer.strategy.launcher.kill, signal.SIGKILL)
        if not isinstance(exception, Stopped):
            raise Stopped(self._received) from exception
