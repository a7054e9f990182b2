"""A run that is no longer finite: stopped soon, with the reason, and neither saved nor loaded."""

import math

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from tiny import NormedConvVAE, parts

from lit_vae import LitVAE
from lit_vae.callbacks import EMA, KeepLast, UpdateGuard
from lit_vae.finite import EVERY, learned

WEIGHT = "head.output.weight"


class Spoil(Callback):
    """Makes something not finite in one step."""

    def __init__(self, what: str, step: int, value: float = math.nan) -> None:
        self.what = what
        self.step = step
        self.value = value

    def on_after_backward(self, trainer, vae):
        if self.what == "gradient" and trainer.global_step == self.step:
            vae.get_parameter(WEIGHT).grad.fill_(self.value)

    def on_train_batch_end(self, trainer, vae, outputs, batch, batch_idx):
        if self.what in ("weight", "statistic") and trainer.global_step == self.step + 1:
            name = WEIGHT if self.what == "weight" else "backbone.norm.running_var"
            with torch.no_grad():
                vae.state_dict(keep_vars=True)[name].view(-1)[0] = self.value


def weights_in(folder) -> dict[str, bool]:
    """For each checkpoint in a folder, whether all that was learned in it is finite."""
    files = sorted(folder.glob("*.ckpt"))
    states = {file.name: torch.load(file, weights_only=True) for file in files}
    return {
        name: all(bool(value.isfinite().all()) for value in state["state_dict"].values())
        for name, state in states.items()
    }


def best(folder):
    return ModelCheckpoint(folder, "best", monitor="val/nelbo")


@pytest.mark.parametrize("what", ["gradient", "weight"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("average", [False, True])
def test_the_validation_after_the_fault_ends_the_run_with_finite_checkpoints(
    vae, data, make_trainer, tmp_path, what, value, average
):
    callbacks = [*([EMA()] if average else []), best(tmp_path), KeepLast(tmp_path), Spoil(what, 5, value)]
    trainer = make_trainer(
        callbacks=callbacks, enable_checkpointing=True, limit_train_batches=4, limit_val_batches=1, max_epochs=9
    )

    with pytest.raises(FloatingPointError, match="training diverged") as error:
        trainer.fit(vae, data)

    assert trainer.current_epoch == 1
    assert weights_in(tmp_path) == {"best.ckpt": True, "last.ckpt": True}
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 4
    assert "UpdateGuard" in str(error.value)


def test_the_message_names_the_step_the_parameters_and_the_terms_of_the_loss(vae, data, make_short_trainer):
    trainer = make_short_trainer(Spoil("gradient", 3), limit_train_batches=8)

    with pytest.raises(
        FloatingPointError,
        match=r"the first step that went wrong was step 3, where loss \d.*, nelbo \d.*; its gradient was not finite "
        rf"in {WEIGHT} of \d+ parameters; step 2 had loss \d.*, and its largest gradients in \S+ \(\d",
    ):
        trainer.fit(vae, data)


def test_a_loss_is_found_within_the_interval_where_nothing_is_validated(vae, data, make_short_trainer):
    trainer = make_short_trainer(Spoil("gradient", 3), limit_train_batches=10, limit_val_batches=0, max_epochs=100)

    with pytest.raises(FloatingPointError, match=r"the loss is not finite.*step 3,"):
        trainer.fit(vae, data)

    assert trainer.global_step <= EVERY + 1


@pytest.mark.parametrize("what", ["gradient", "weight"])
def test_the_last_step_is_not_too_late(vae, data, make_short_trainer, tmp_path, what):
    trainer = make_short_trainer(Spoil(what, 3), KeepLast(tmp_path / "kept"), limit_val_batches=0, max_epochs=2)

    with pytest.raises(FloatingPointError, match="weights are not finite in"):
        trainer.fit(vae, data)

    assert weights_in(tmp_path / "kept") == {"last.ckpt": True}
    assert torch.load(tmp_path / "kept" / "last.ckpt", weights_only=True)["global_step"] == 1


def test_statistics_count_as_weights(data, make_short_trainer, tmp_path):
    vae = LitVAE(**parts(data, NormedConvVAE))
    trainer = make_short_trainer(Spoil("statistic", 1), KeepLast(tmp_path))

    with pytest.raises(FloatingPointError, match=r"not finite in backbone\.norm\.running_var"):
        trainer.fit(vae, data)


def test_gradients_that_were_accumulated_are_judged_as_one(vae, data, make_short_trainer):
    trainer = make_short_trainer(Spoil("gradient", 1), limit_train_batches=8, accumulate_grad_batches=2)

    with pytest.raises(FloatingPointError, match=r"the first step that went wrong was step 1,"):
        trainer.fit(vae, data)


def test_an_update_that_a_guard_leaves_out_stops_nothing(vae, data, make_short_trainer):
    trainer = make_short_trainer(UpdateGuard(), Spoil("gradient", 1), max_epochs=2)

    trainer.fit(vae, data)

    assert trainer.global_step == 4


def test_a_cure_that_is_there_is_not_named(vae, data, make_short_trainer):
    trainer = make_short_trainer(UpdateGuard(), Spoil("weight", 1))

    with pytest.raises(FloatingPointError) as error:
        trainer.fit(vae, data)

    assert "UpdateGuard" not in str(error.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_without_a_gradient_of_its_own_counts_too(vae, data, make_short_trainer, monkeypatch, value):
    check = vae.configure_callbacks()[0]
    see = check.on_before_backward
    monkeypatch.setattr(check, "on_before_backward", lambda trainer, vae, loss: see(trainer, vae, loss + value))
    trainer = make_short_trainer(limit_val_batches=0)

    with pytest.raises(FloatingPointError, match="the loss is not finite"):
        trainer.fit(vae, data)


@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
def test_a_bound_that_is_not_finite_is_no_result(vae, data, make_short_trainer, tmp_path, monkeypatch, verb):
    summary = vae.summary
    monkeypatch.setattr(vae, "summary", lambda *args: summary(*args) | {"nelbo": torch.tensor(math.inf)})
    trainer = make_short_trainer(
        best(tmp_path), limit_test_batches=1, enable_checkpointing=True, num_sanity_val_steps=0
    )

    with pytest.raises(FloatingPointError, match=r"/nelbo is inf, although all weights are finite"):
        getattr(trainer, verb)(vae, data)

    assert list(tmp_path.glob("*.ckpt")) == []


def test_broken_weights_are_not_loaded(vae, data, make_short_trainer, tmp_path):
    trainer = make_short_trainer(EMA())
    trainer.fit(vae, data)
    trainer.save_checkpoint(tmp_path / "good.ckpt")
    for key in ("state_dict", "trained_weights"):
        checkpoint = torch.load(tmp_path / "good.ckpt", weights_only=True)
        checkpoint[key][WEIGHT].view(-1)[0] = math.nan
        torch.save(checkpoint, tmp_path / f"{key}.ckpt")

    LitVAE.load_from_checkpoint(tmp_path / "good.ckpt", **parts(data))
    for key in ("state_dict", "trained_weights"):
        path = tmp_path / f"{key}.ckpt"
        with pytest.raises(ValueError, match=rf"{key}\.ckpt holds weights that are not finite, {WEIGHT}, of \d+"):
            make_short_trainer(EMA(), max_epochs=2).fit(vae, data, ckpt_path=path, weights_only=True)
        with pytest.raises(ValueError, match=rf"{key}\.ckpt holds weights that are not finite"):
            LitVAE.load_from_checkpoint(path, **parts(data))


def test_nothing_waits_for_the_device_between_checks(vae, data, make_short_trainer, monkeypatch):
    """Reading a number off a device makes the program wait for it."""
    read = []
    for name in ("item", "tolist", "__bool__", "__float__"):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor, name, lambda self, *args, kept=original: (read.append(1), kept(self, *args))[1]
        )
    trainer = make_short_trainer()
    check = vae.configure_callbacks()[0]
    check.on_train_start(trainer, vae)
    for weight in vae.parameters():
        weight.grad = torch.ones_like(weight)
    read.clear()

    check.on_before_backward(trainer, vae, torch.tensor(1.0))
    check.on_before_optimizer_step(trainer, vae, None)

    assert read == []


def test_what_is_learned_is_weights_and_statistics(data):
    vae = LitVAE(**parts(data, NormedConvVAE))

    names = learned(vae).keys()

    assert {name for name, _ in vae.named_parameters()} < names
    assert {"backbone.norm.running_mean", "backbone.norm.running_var"} <= names
    assert "backbone.controller" not in names
