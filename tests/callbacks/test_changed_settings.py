"""A run that is resumed with another rate, schedule or optimizer trains as the new settings say."""

import copy

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.cli import ReduceLROnPlateau
from tiny import parts
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

from lit_vae import LitVAE
from lit_vae.callbacks import EMA, ChangedSettings
from lit_vae.objectives import ELBO, TargetKL
from lit_vae.regularizers import Regularizer
from lit_vae.schedules import LatePlateau, WarmupCosine

OPTIMIZER, SCHEDULER = "model.optimizer.init_args.", "model.scheduler.init_args."


class Rates(Callback):
    """Notes the learning rate of each update."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen.append(optimizer.param_groups[0]["lr"])


def adam(**settings):
    return lambda parameters: torch.optim.Adam(parameters, **{"lr": 1e-3, **settings})


def plateau(optimizer):
    return ReduceLROnPlateau(optimizer, "val/nelbo", patience=0, threshold=1e6, threshold_mode="abs", factor=0.5)


@pytest.fixture
def go(make_trainer, data, tmp_path):
    """Train two epochs of five steps in a file, or go on from it with other settings for one more."""
    file = tmp_path / "two.ckpt"

    def train(changed=None, callbacks=(), epochs=2, **model):
        rates = Rates()
        resumes = changed is not None
        callbacks = [rates, *callbacks, *([ChangedSettings(changed)] if resumes else [])]
        limits = {"max_epochs": epochs + resumes, "limit_train_batches": 5, "limit_val_batches": 1}
        trainer = make_trainer(callbacks=callbacks, num_sanity_val_steps=0, **limits)
        vae = LitVAE(**{**parts(data), **model})
        where = {"ckpt_path": file, "weights_only": True} if resumes else {}
        trainer.fit(vae, datamodule=data, **where)
        if not resumes:
            trainer.save_checkpoint(file)
        return rates.seen, trainer, vae

    train.file = file
    return train


def warmup(optimizer):
    return WarmupCosine(optimizer, warmup=4, decay_start=6, decay_steps=20)


SCHEDULES = {
    "warmup cosine": warmup,
    "cosine": lambda optimizer: CosineAnnealingLR(optimizer, 20),
    "step": lambda optimizer: StepLR(optimizer, 3, 0.5),
    "none": None,
}


@pytest.mark.parametrize("before", SCHEDULES)
@pytest.mark.parametrize("after", SCHEDULES)
def test_the_rate_is_that_of_a_run_that_had_the_settings_from_the_start(go, before, after):
    expected, _, _ = go(epochs=3, optimizer=adam(lr=5e-4), scheduler=SCHEDULES[after])
    go(optimizer=adam(), scheduler=SCHEDULES[before])

    changed = [f"{OPTIMIZER}lr"] + ["model.scheduler.class_path"] * (before != after)
    rates, _, _ = go(changed, optimizer=adam(lr=5e-4), scheduler=SCHEDULES[after])

    assert rates == pytest.approx(expected[10:], rel=1e-12)


def test_settings_that_did_not_change_leave_everything_as_it_was(go):
    go(optimizer=adam(), scheduler=warmup)
    _, plain, _ = go([], optimizer=adam(), scheduler=warmup)
    _, other, _ = go(["trainer.max_epochs", "collapse.nats"], optimizer=adam(), scheduler=warmup)

    ours, theirs = (trainer.lightning_module.state_dict() for trainer in (other, plain))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_moments_stay_where_a_setting_changes_and_begin_anew_with_another_optimizer(go):
    go(optimizer=adam())
    moments = torch.load(go.file, weights_only=True)["optimizer_states"][0]["state"]

    class Look(Callback):
        def on_train_start(self, trainer, pl_module):
            self.state = copy.deepcopy(trainer.optimizers[0].state_dict()["state"])
            self.groups = trainer.optimizers[0].param_groups

    kept, anew = Look(), Look()
    go([f"{OPTIMIZER}weight_decay"], [kept], optimizer=adam(weight_decay=0.5))
    go(["model.optimizer.class_path"], [anew], optimizer=lambda weights: torch.optim.SGD(weights, 0.1))

    assert kept.groups[0]["weight_decay"] == 0.5
    torch.testing.assert_close(kept.state[0]["exp_avg"], moments[0]["exp_avg"], rtol=0, atol=0)
    assert anew.state == {}
    assert anew.groups[0]["lr"] == 0.1


def test_a_schedule_by_a_metric_keeps_the_rate_that_the_run_has_come_to(go):
    go(optimizer=adam(), scheduler=plateau)
    fallen, _, _ = go([], optimizer=adam(), scheduler=plateau)
    assert fallen[0] < 1e-3

    kept, _, _ = go([f"{SCHEDULER}factor"], optimizer=adam(), scheduler=LatePlateau)
    given, _, _ = go([f"{OPTIMIZER}lr"], optimizer=adam(lr=7e-4), scheduler=plateau)

    assert kept[0] == fallen[0]
    assert given[0] == 7e-4


def test_another_schedule_by_a_metric_counts_anew_and_the_same_one_goes_on(go):
    go(optimizer=adam(), scheduler=plateau)
    saved = torch.load(go.file, weights_only=True)["lr_schedulers"][0]

    class Look(Callback):
        def on_train_start(self, trainer, pl_module):
            self.best = trainer.lr_scheduler_configs[0].scheduler.best

    same, other = Look(), Look()
    go([f"{OPTIMIZER}lr"], [same], optimizer=adam(lr=7e-4), scheduler=plateau)
    go([f"{SCHEDULER}patience"], [other], optimizer=adam(), scheduler=LatePlateau)

    assert same.best == saved["best"] < float("inf")
    assert other.best == float("inf")


class Pull(Regularizer):
    """Draws a weight of its own to 1."""

    def __init__(self):
        super().__init__()
        self.place = torch.nn.Parameter(torch.zeros(()))

    def forward(self, vae, seen):
        return {"pull": (self.place - 1).square()}


@pytest.mark.parametrize("callbacks", [list, lambda: [EMA(decay=0.5)]], ids=["plain", "averaged"])
def test_objective_and_regularizers_may_change(go, callbacks):
    go(callbacks=callbacks())
    richer = {"objective": ELBO("symbol", TargetKL(8.0)), "regularizers": [Pull()]}

    _, trainer, vae = go(["model.objective.kl_weight.class_path"], callbacks(), **richer)
    assert int(vae.objective.kl_weight.observed_step) == trainer.global_step - 1 == 14
    assert vae.regularizers[0].place > 0

    trainer.save_checkpoint(go.file)
    _, trainer, vae = go(["model.objective.kl_weight"], callbacks(), epochs=3)
    assert trainer.global_step == 20
    assert trainer.optimizers[0].state_dict()["state"][0]["step"] == 20
