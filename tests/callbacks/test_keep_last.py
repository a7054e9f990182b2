"""A checkpoint to resume from, whatever ends the run."""

import copy
import time

import pytest
import torch
from lightning.pytorch import Callback
from tiny import Kept

from lit_vae.callbacks import EMA, KeepLast, Throughput, UpdateGuard


class Raise(Callback):
    """Raises before a step."""

    def __init__(self, error: BaseException, step: int) -> None:
        self.error = error
        self.step = step

    def on_train_batch_start(self, trainer, *args):
        if trainer.global_step == self.step:
            raise self.error


def steps(folder) -> int:
    """Of the one checkpoint in a folder."""
    (file,) = folder.glob("*")
    assert file.name == "last.ckpt"
    return torch.load(file, weights_only=True)["global_step"]


@pytest.mark.parametrize(
    "limit",
    [
        {"max_epochs": 2},
        {"max_epochs": -1, "max_steps": 3},
        {"max_epochs": -1, "max_time": {"seconds": 1}, "max_steps": 3},
    ],
)
def test_every_end_leaves_one(vae, data, make_short_trainer, tmp_path, limit):
    trainer = make_short_trainer(KeepLast(tmp_path / "kept"), **limit)

    trainer.fit(vae, data)

    assert steps(tmp_path / "kept") == trainer.global_step > 0


def test_a_failure_leaves_one_and_is_passed_on(vae, data, make_short_trainer, tmp_path):
    trainer = make_short_trainer(KeepLast(tmp_path / "kept"), Raise(RuntimeError("broken"), 3), max_epochs=5)

    with pytest.raises(RuntimeError, match="broken"):
        trainer.fit(vae, data)

    assert steps(tmp_path / "kept") == 3


def test_an_interruption_leaves_one_and_says_how_to_resume(vae, data, make_short_trainer, tmp_path, capsys):
    folder = tmp_path / "run" / "checkpoints"
    trainer = make_short_trainer(KeepLast(folder), Raise(KeyboardInterrupt(), 3), max_epochs=5)

    with pytest.raises(SystemExit) as end:
        trainer.fit(vae, data)

    assert end.value.code != 0
    assert steps(folder) == 3
    assert capsys.readouterr().out == (
        f"\ninterrupted; resume with: python -m lit_vae fit --ckpt_path {tmp_path / 'run'}\n"
    )


class Watch(Callback):
    """What happened, in order."""

    def __init__(self, error: BaseException | None = None, batch: int = 0) -> None:
        self.error = error
        self.batch = batch
        self.seen: list[tuple] = []

    def on_train_batch_start(self, trainer, vae, batch, batch_idx):
        self.seen.append(("step", trainer.global_step))

    def on_validation_batch_start(self, trainer, vae, batch, batch_idx, dataloader_idx=0):
        if self.error and trainer.global_step == 4 and batch_idx == self.batch:
            raise self.error

    def on_validation_end(self, trainer, vae):
        if not trainer.sanity_checking:
            self.seen.append(("validation", trainer.global_step, float(trainer.callback_metrics["val/nelbo"])))


@pytest.mark.parametrize("interval", [1.0, 2])
@pytest.mark.parametrize("batch", [0, 1, 2])
def test_a_validation_that_was_broken_off_is_made_up_for(vae, data, make_short_trainer, tmp_path, interval, batch):
    limits = {"limit_train_batches": 4, "limit_val_batches": 3, "max_epochs": 2, "val_check_interval": interval}
    start = copy.deepcopy(vae.state_dict())
    whole, first, second = Watch(), Watch(RuntimeError("broken"), batch), Watch()

    def fit(*callbacks, **arguments):
        torch.manual_seed(0)
        make_short_trainer(*callbacks, **limits).fit(vae, data, **arguments)

    fit(whole)
    vae.load_state_dict(start)
    with pytest.raises(RuntimeError, match="broken"):
        fit(KeepLast(tmp_path), first)
    fit(second, ckpt_path=tmp_path / "last.ckpt", weights_only=True)

    assert first.seen + second.seen == whole.seen


def test_an_older_checkpoint_that_cannot_go_on_does_not_replace_a_later_one(vae, data, make_short_trainer, tmp_path):
    make_short_trainer(max_epochs=1).fit(vae, data)
    vae.trainer.save_checkpoint(tmp_path / "older.ckpt")
    make_short_trainer(KeepLast(tmp_path / "kept"), max_epochs=3).fit(vae, data)

    with pytest.raises(RuntimeError, match="broken"):
        make_short_trainer(KeepLast(tmp_path / "kept"), Raise(RuntimeError("broken"), 2), max_epochs=3).fit(
            vae, data, ckpt_path=tmp_path / "older.ckpt", weights_only=True
        )

    assert steps(tmp_path / "kept") == 6


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_broken_weights_do_not_replace_whole_ones(vae, data, make_short_trainer, tmp_path, capsys, error):
    class Break(Callback):
        def on_train_batch_start(self, trainer, vae, *args):
            if trainer.global_step == 3:
                torch.nn.init.constant_(vae.head.output.weight, float("nan"))
                raise error

    folder = tmp_path / "run" / "checkpoints"
    make_short_trainer(KeepLast(folder), max_epochs=1).fit(vae, data)

    with pytest.raises((RuntimeError, SystemExit)):
        make_short_trainer(KeepLast(folder), Break(), max_epochs=5).fit(
            vae, data, ckpt_path=folder / "last.ckpt", weights_only=True
        )

    assert steps(folder) == 3
    assert "weights are not finite in head.output.weight" in capsys.readouterr().out


def test_an_interruption_before_the_first_step_promises_nothing(vae, data, make_short_trainer, tmp_path, capsys):
    with pytest.raises(SystemExit):
        make_short_trainer(KeepLast(tmp_path / "kept"), Raise(KeyboardInterrupt(), 0)).fit(vae, data)

    assert capsys.readouterr().out == "\ninterrupted; there is nothing to resume yet\n"


def test_nothing_is_kept_of_a_run_that_never_stepped(vae, data, make_short_trainer, tmp_path):
    trainer = make_short_trainer(KeepLast(tmp_path / "kept"), Raise(RuntimeError("broken"), 0))

    with pytest.raises(RuntimeError, match="broken"):
        trainer.fit(vae, data)

    assert not (tmp_path / "kept").exists()


def test_an_evaluation_that_fails_keeps_nothing(vae, data, make_short_trainer, tmp_path):
    class RaiseInTest(Callback):
        def on_test_batch_start(self, *args):
            raise RuntimeError("broken")

    trainer = make_short_trainer(KeepLast(tmp_path / "kept"), RaiseInTest())
    trainer.fit(vae, data)
    (tmp_path / "kept" / "last.ckpt").unlink()

    with pytest.raises(RuntimeError, match="broken"):
        trainer.test(vae, data)

    assert list((tmp_path / "kept").iterdir()) == []


# ---- while a run goes on ----


class Files(Callback):
    """The step in the file before each step, and at the start of each batch of a validation."""

    def __init__(self, folder) -> None:
        self.file = folder / "last.ckpt"
        self.training: list[int | None] = []
        self.validating: list[int | None] = []

    def _step(self):
        return torch.load(self.file, weights_only=True)["global_step"] if self.file.exists() else None

    def on_train_batch_start(self, *args):
        self.training.append(self._step())

    def on_validation_batch_start(self, trainer, *args):
        if not trainer.sanity_checking:
            self.validating.append(self._step())


LONG = {"limit_train_batches": 6, "max_epochs": 2}


@pytest.fixture
def clock(monkeypatch):
    """Minutes that stand still but for what is added to its only entry."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: 60 * now[0])
    return now


def test_there_is_one_from_the_first_step_on_and_from_each_validation(vae, data, make_short_trainer, tmp_path):
    files = Files(tmp_path)

    make_short_trainer(KeepLast(tmp_path), files, **LONG).fit(vae, data)

    assert files.training == [None, 1, 1, 1, 1, 1, 6, 6, 6, 6, 6, 6]


def test_there_is_one_every_so_many_steps_and_at_the_start_of_a_validation_that_follows(
    vae, data, make_short_trainer, tmp_path
):
    files = Files(tmp_path)

    make_short_trainer(KeepLast(tmp_path, minutes=None, steps=2), files, **LONG).fit(vae, data)

    assert files.training == [None, 1, 1, 3, 3, 5, 6, 6, 8, 8, 10, 10]
    assert files.validating == [5, 12]


def test_there_is_one_every_so_many_minutes_of_training(vae, data, make_short_trainer, tmp_path, clock):
    class Slow(Callback):
        """A step takes four minutes, a validation a hundred."""

        def on_train_batch_start(self, *args):
            clock[0] += 4

        def on_validation_epoch_start(self, *args):
            clock[0] += 100

    files = Files(tmp_path)

    make_short_trainer(Slow(), KeepLast(tmp_path, minutes=10), files, **LONG).fit(vae, data)

    assert files.training == [None, 1, 1, 1, 4, 4, 6, 6, 6, 9, 9, 9]


def test_gradients_are_never_cut_in_the_middle(vae, data, make_short_trainer, tmp_path):
    class Watched(KeepLast):
        def _write(self, trainer, validated):
            places.append(trainer.fit_loop.epoch_loop.batch_progress.current.ready)
            super()._write(trainer, validated)

    places: list[int] = []

    make_short_trainer(
        Watched(tmp_path, steps=1), accumulate_grad_batches=3, val_check_interval=2, limit_train_batches=8, max_epochs=2
    ).fit(vae, data)

    assert places == [3, 6, 6, 8, 8] * 2


@pytest.mark.parametrize(
    "limits", [{}, {"val_check_interval": 2, "limit_train_batches": 4}, {"limit_val_batches": 0}], ids=str
)
def test_a_run_goes_on_from_each_as_if_nothing_had_happened(vae, data, make_short_trainer, tmp_path, limits):
    """Each that is ever written is kept; from each a run takes the steps and validations that are left."""

    class Keep(KeepLast):
        def _write(self, trainer, validated):
            super()._write(trainer, validated)
            kept.append((tmp_path / f"{len(kept)}.ckpt", list(whole.seen)))
            self.path.rename(kept[-1][0])

    start, whole, kept = copy.deepcopy(vae.state_dict()), Watch(), []
    limits = {"limit_train_batches": 3, "limit_val_batches": 2, "max_epochs": 2, **limits}

    def fit(*callbacks, **arguments):
        torch.manual_seed(0)
        make_short_trainer(EMA(0.9), UpdateGuard(), *callbacks, **limits).fit(vae, data, **arguments)
        return {name: value.clone() for name, value in vae.state_dict().items()}

    expected = fit(whole, Keep(tmp_path, steps=1))

    for file, seen in kept[:-1]:
        vae.load_state_dict(start)
        rest = Watch()
        weights = fit(rest, ckpt_path=file, weights_only=True)
        assert seen + rest.seen == whole.seen
        assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_speed_is_told_without_it(vae, data, make_short_trainer, tmp_path, monkeypatch):
    """Writing takes a thousand seconds, a step two."""
    now = [0.0]
    for name in ("monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, lambda: now[0])

    class Slow(KeepLast):
        def _write(self, trainer, validated):
            now[0] += 1000

    class Step(Callback):
        def on_before_zero_grad(self, *args):
            now[0] += 2

    keep_last, kept = Slow(tmp_path, minutes=None, steps=2), Kept("examples_per_second")
    limits = {"limit_train_batches": 6, "max_epochs": 2, "log_every_n_steps": 3}

    make_short_trainer(keep_last, Step(), Throughput(keep_last), logger=kept, **limits).fit(vae, data)

    assert list(kept.found["train/examples_per_second"].values()) == [pytest.approx(16.0)] * 4


def test_what_takes_long_is_said_once_with_what_to_change(vae, data, make_short_trainer, tmp_path, clock, capsys):
    class Slow(KeepLast):
        def _write(self, trainer, validated):
            clock[0] += 2

    make_short_trainer(Slow(tmp_path), max_epochs=2).fit(vae, data)

    said = capsys.readouterr().err
    assert said.count("took 120 seconds, at least every 10 minutes: raise last.minutes") == said.count("\n") == 1


@pytest.mark.parametrize("settings", [{"minutes": 0}, {"minutes": float("nan")}, {"steps": -1}])
def test_an_interval_that_is_none_is_refused(settings):
    with pytest.raises(ValueError, match=r"last\.(minutes|steps) must be > 0, or null for none, got"):
        KeepLast(**settings)
