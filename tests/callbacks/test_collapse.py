"""A collapse of the posterior is named when it comes and when it goes."""

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from lit_vae.callbacks import CollapseWatch


@pytest.fixture
def deaf(vae):
    """A model whose posterior is the prior whatever it sees."""
    with torch.no_grad():
        for parameter in vae.backbone.posterior.parameters():
            parameter.zero_()
    return vae


def test_a_collapse_is_named_with_what_to_turn(deaf, data, make_short_trainer, capsys):
    make_short_trainer(CollapseWatch()).validate(deaf, data)

    said = capsys.readouterr().out
    assert (
        "posterior collapse: the KL is 0.00 nats, 0 of 2 units are active, "
        "the mutual information is 0.00 nats (standard error 0.00);"
    ) in said
    assert "model.objective.init_args.free_bits" in said


def test_a_model_that_uses_its_latents_is_let_be(vae, data, make_short_trainer, capsys):
    with torch.no_grad():
        for parameter in vae.backbone.posterior.parameters():
            parameter.copy_(3 * torch.ones_like(parameter))

    make_short_trainer(CollapseWatch()).validate(vae, data)

    assert "collapse" not in capsys.readouterr().out


def test_a_collapse_is_named_once_and_its_end_too(deaf, data, make_short_trainer, capsys):
    watch = CollapseWatch()
    trainer = make_short_trainer(watch)

    trainer.validate(deaf, data)
    trainer.validate(deaf, data)
    with torch.no_grad():
        for parameter in deaf.backbone.posterior.parameters():
            parameter.normal_()
    trainer.validate(deaf, data)

    said = capsys.readouterr().out
    assert said.count("posterior collapse:") == 1
    assert said.count("no posterior collapse any more") == 1


@pytest.mark.parametrize(("epochs", "times"), [(1, 0), (2, 1), (4, 1)])
def test_in_training_a_collapse_is_named_when_two_validations_in_a_row_have_found_it(
    deaf, data, make_short_trainer, capsys, epochs, times
):
    for parameter in deaf.parameters():
        parameter.requires_grad_(False)
    deaf.head.output.bias.requires_grad_(True)

    make_short_trainer(CollapseWatch(), max_epochs=epochs).fit(deaf, data)

    assert capsys.readouterr().out.count("posterior collapse:") == times


def test_a_resumed_training_does_not_name_a_collapse_again_and_an_evaluation_does(
    deaf, data, make_short_trainer, capsys, tmp_path
):
    for parameter in deaf.parameters():
        parameter.requires_grad_(False)
    deaf.head.output.bias.requires_grad_(True)
    trainer = make_short_trainer(CollapseWatch(), max_epochs=2)
    trainer.fit(deaf, data)
    trainer.save_checkpoint(tmp_path / "collapsed.ckpt")
    said = [capsys.readouterr().out.count("posterior collapse:")]

    make_short_trainer(CollapseWatch(), max_epochs=4).fit(deaf, data, ckpt_path=tmp_path / "collapsed.ckpt")
    said.append(capsys.readouterr().out.count("posterior collapse:"))
    make_short_trainer(CollapseWatch()).validate(deaf, data, ckpt_path=tmp_path / "collapsed.ckpt")
    said.append(capsys.readouterr().out.count("posterior collapse:"))

    assert said == [1, 0, 1]


def test_what_it_measures_is_logged(vae, data, make_short_trainer):
    trainer = make_short_trainer(CollapseWatch(), limit_val_batches=2)

    (logged,) = trainer.validate(vae, data, verbose=False)

    assert logged["val/units"] == 2
    assert logged["val/mutual_information_examples"] == 64
    assert logged["val/active_units"] <= 2
    room = 3 * logged["val/mutual_information_std_error"]
    assert -room <= logged["val/mutual_information"] <= logged["val/rate"] + room


def test_the_kl_that_it_names_is_the_rate_that_is_logged(vae, data, make_short_trainer, capsys):
    (logged,) = make_short_trainer(CollapseWatch(1e6), limit_val_batches=2).validate(vae, data, verbose=False)

    assert f"the KL is {logged['val/rate']:.2f} nats" in capsys.readouterr().out


def test_no_logger_is_told_at_each_validation_what_never_changes(vae, data, make_short_trainer, tmp_path):
    trainer = make_short_trainer(CollapseWatch(), logger=CSVLogger(tmp_path))

    trainer.fit(vae, data)

    assert {"val/mutual_information", "val/active_units"} <= trainer.logged_metrics.keys()
    assert not {"val/units", "val/mutual_information_examples"} & trainer.logged_metrics.keys()
    assert trainer.callback_metrics["val/units"] == 2


def test_a_threshold_below_nothing_is_refused():
    with pytest.raises(ValueError, match=r"collapse\.nats must be >= 0, got -1"):
        CollapseWatch(-1)
