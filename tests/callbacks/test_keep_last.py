"""A checkpoint to resume from, whatever ends the run."""

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
