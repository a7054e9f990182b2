"""A checkpoint to resume from, whatever ends the run."""

import copy

import pytest
import torch
from lightning.pytorch import Callback

from lit_vae.callbacks import KeepLast


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

    assert steps(folder) == 2
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
