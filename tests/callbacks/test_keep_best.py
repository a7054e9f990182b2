"""The best checkpoint holds the weights that a validation scored, whatever else is written in between."""

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_vae import checkpoints
from lit_vae.callbacks import EMA, KeepBest, KeepLast


class Scored(Callback):
    """What was validated: at each step the score, and a weight as it was."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[float, torch.Tensor]] = {}

    def on_validation_epoch_end(self, trainer, vae):
        self.weight = vae.state_dict()["head.output.weight"].clone()

    def on_validation_end(self, trainer, vae):
        if not trainer.sanity_checking:
            self.seen[trainer.global_step] = (float(trainer.callback_metrics["val/nelbo"]), self.weight)


PLACES = [
    {},
    {"val_check_interval": 2},
    {"val_check_interval": 3},
    {"check_val_every_n_epoch": 2},
    {"accumulate_grad_batches": 3, "val_check_interval": 2},
    {"max_steps": 7},
    {"max_steps": 7, "val_check_interval": 3},
]


@pytest.mark.parametrize(
    ("limits", "average"),
    [*((place, False) for place in PLACES), ({}, True), ({"val_check_interval": 3}, True)],
    ids=str,
)
def test_a_best_checkpoint_holds_the_weights_and_the_score_of_its_validation(
    vae, data, make_short_trainer, tmp_path, limits, average
):
    watch = Scored()
    callbacks = [*([EMA(0.5)] if average else []), watch, KeepBest(save_top_k=-1), KeepLast(steps=1)]

    make_short_trainer(*callbacks, **{"limit_train_batches": 4, "max_epochs": 4, **limits}).fit(vae, data)

    files = list((tmp_path / "checkpoints").glob("best*"))
    assert {checkpoints.step(file) for file in files} == watch.seen.keys() - {0} != set()
    for file in files:
        score, weight = watch.seen[checkpoints.step(file)]
        assert file.name == f"best-step={checkpoints.step(file)}.ckpt"
        assert checkpoints.score(file) == pytest.approx(score)
        assert torch.equal(checkpoints.read(file)["state_dict"]["head.output.weight"], weight)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("weights_only", [False, True])
def test_the_best_of_a_run_is_found(vae, data, make_short_trainer, tmp_path, mode, weights_only):
    watch = Scored()
    keep_best = KeepBest(mode=mode, save_top_k=3, save_weights_only=weights_only)

    make_short_trainer(watch, keep_best, KeepLast(), max_epochs=5).fit(vae, data)

    scores = {step: score for step, (score, _) in watch.seen.items()}
    found = checkpoints.find(tmp_path, "best")
    assert checkpoints.step(found) == (min if mode == "min" else max)(scores, key=scores.__getitem__)
    assert ("optimizer_states" in checkpoints.read(found)) is not weights_only
    assert "optimizer_states" in checkpoints.read(checkpoints.find(tmp_path, "last"))


def test_a_users_own_checkpoints_are_not_taken_for_the_best(vae, data, make_short_trainer, tmp_path):
    theirs = ModelCheckpoint(tmp_path / "checkpoints", "best-of-mine-{step}", every_n_train_steps=1, save_top_k=-1)

    make_short_trainer(KeepBest(), KeepLast(), theirs, max_epochs=3).fit(vae, data)

    assert len(list((tmp_path / "checkpoints").glob("best-of-mine*"))) == 6
    assert checkpoints.find(tmp_path, "best").name.startswith("best-step=")


def test_without_a_metric_the_latest_is_the_best(vae, data, make_short_trainer, tmp_path):
    make_short_trainer(KeepBest(monitor=None, save_top_k=-1), max_epochs=3).fit(vae, data)

    assert checkpoints.find(tmp_path, "best").name == "best-step=6.ckpt"


@pytest.mark.parametrize("settings", [{"save_top_k": 0}, {"limit_val_batches": 0}])
def test_where_none_is_the_best_the_last_is_evaluated(vae, data, make_short_trainer, tmp_path, settings):
    top_k = settings.pop("save_top_k", 1)

    make_short_trainer(KeepBest(save_top_k=top_k), KeepLast(), max_epochs=2, **settings).fit(vae, data)

    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    assert checkpoints.step(checkpoints.find(tmp_path, "best")) == 4


def test_a_run_that_was_moved_still_knows_its_best(vae, data, make_short_trainer, tmp_path):
    def fit(folder, epochs, **arguments):
        keep_best = KeepBest(mode="max")  # the first stays the best
        trainer = make_short_trainer(keep_best, KeepLast(), max_epochs=epochs, default_root_dir=tmp_path / folder)
        trainer.fit(vae, data, weights_only=True, **arguments)

    fit("one", 1)
    (tmp_path / "one").rename(tmp_path / "other")
    fit("other", 3, ckpt_path=tmp_path / "other" / "checkpoints" / "last.ckpt")

    names = {file.name for file in (tmp_path / "other" / "checkpoints").iterdir()}
    assert names == {"best-step=2.ckpt", "last.ckpt"}
    assert not (tmp_path / "one").exists()


def test_a_name_by_which_it_is_not_found_is_refused():
    with pytest.raises(ValueError, match=r"checkpoint\.filename must begin with best"):
        KeepBest(filename="{step}")
