"""A schedule that goes by a metric steps at each validation, and nowhere else."""

from functools import partial

import pytest
from lightning.pytorch.cli import ReduceLROnPlateau
from tiny import parts

from lit_vae import LitVAE


def falling(monitor="val/nelbo"):
    """Halves the rate at every step but the first."""
    return partial(ReduceLROnPlateau, monitor=monitor, patience=0, factor=0.5, threshold=1e6, threshold_mode="abs")


@pytest.mark.parametrize(
    ("settings", "validations"),
    [
        ({}, 4),
        ({"val_check_interval": 1}, 8),
        ({"check_val_every_n_epoch": 2}, 2),
        ({"check_val_every_n_epoch": None, "val_check_interval": 4}, 2),
        ({"accumulate_grad_batches": 2, "val_check_interval": 1}, 8),
    ],
)
def test_a_step_for_each_validation_and_none_for_the_trial_before(data, make_short_trainer, settings, validations):
    vae = LitVAE(**parts(data), scheduler=falling())

    make_short_trainer(max_epochs=4, num_sanity_val_steps=1, **settings).fit(vae, data)

    assert vae.optimizers().param_groups[0]["lr"] == 1e-3 * 0.5 ** (validations - 1)


def test_a_metric_that_is_not_reported_is_named_beside_those_that_are(data, make_short_trainer):
    vae = LitVAE(**parts(data), scheduler=falling("val/loss"))

    with pytest.raises(ValueError, match=r"model\.scheduler is val/loss, .* change it to one of .*val/nelbo"):
        make_short_trainer().fit(vae, data)


def test_a_training_without_validations_is_refused_before_it_begins(data, make_short_trainer):
    vae = LitVAE(**parts(data), scheduler=falling())
    trainer = make_short_trainer(limit_val_batches=0)

    with pytest.raises(ValueError, match=r"goes by val/nelbo after each validation, and there are none"):
        trainer.fit(vae, data)

    assert trainer.global_step == 0
