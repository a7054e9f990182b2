"""A monitored metric is looked for before training."""

from functools import partial

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.cli import ReduceLROnPlateau

from lit_vae import LitVAE
from lit_vae.callbacks import CheckMonitors, CollapseWatch
from lit_vae.vae import LitVAE as Module


@pytest.fixture
def trained(monkeypatch):
    """The steps that were taken."""
    steps = []
    step = Module.training_step
    monkeypatch.setattr(Module, "training_step", lambda self, *args: steps.append(1) or step(self, *args))
    return steps


@pytest.mark.parametrize(
    ("callback", "where"),
    [
        (partial(ModelCheckpoint, monitor="val/nlbo"), "ModelCheckpoint"),
        (partial(EarlyStopping, monitor="val/nlbo"), "EarlyStopping"),
    ],
)
def test_a_callback_that_goes_by_no_metric_is_refused_before_training(
    callback, where, vae, data, make_short_trainer, tmp_path, trained
):
    extra = {"dirpath": tmp_path} if where == "ModelCheckpoint" else {}
    trainer = make_short_trainer(callback(**extra), CheckMonitors(), enable_checkpointing=where == "ModelCheckpoint")

    with pytest.raises(
        ValueError, match=rf"monitor of {where} .* is val/nlbo, which .*change it to one of .*val/nelbo"
    ):
        trainer.fit(vae, data)

    assert not trained


def test_a_schedule_that_goes_by_no_metric_is_refused_before_training(vae, data, make_short_trainer, trained):
    schedule = partial(ReduceLROnPlateau, monitor="val/nlbo")
    other = LitVAE(vae.backbone, vae.head, vae.objective, torch.optim.SGD, schedule)

    with pytest.raises(ValueError, match=r"monitor of model\.scheduler is val/nlbo"):
        make_short_trainer(CheckMonitors()).fit(other, data)

    assert not trained


@pytest.mark.parametrize("monitor", ["val/nelbo", "val/bits_per_dim", "val/active_units", "train/loss"])
def test_what_a_run_reports_can_be_monitored(monitor, vae, data, make_short_trainer, tmp_path, trained):
    saver = ModelCheckpoint(tmp_path, monitor=monitor)

    make_short_trainer(saver, CollapseWatch(), CheckMonitors(), enable_checkpointing=True).fit(vae, data)

    assert trained
    assert saver.best_model_path
