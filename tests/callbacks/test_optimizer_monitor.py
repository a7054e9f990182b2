"""The learning rate and the gradient of the steps that are logged."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.plugins.precision import MixedPrecision
from test_throughput import Kept
from tiny import parts

from lit_vae import LitVAE
from lit_vae.callbacks import OptimizerMonitor, UpdateGuard
from lit_vae.schedules import WarmupCosine


@pytest.fixture
def make_vae(data):
    return lambda **options: LitVAE(**parts(data), **options)


class Norms(Callback):
    """The length of the gradient at each step, by hand, before it is clipped."""

    def __init__(self):
        self.found = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        squares = [weight.grad.double().square().sum() for weight in pl_module.parameters()]
        self.found.append(torch.stack(squares).sum().sqrt().item())


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_gradient_is_measured_before_it_is_clipped(make_vae, data, make_short_trainer, accumulated):
    kept, norms = Kept("grad_norm"), Norms()
    batches = 4 * accumulated

    make_short_trainer(
        *(OptimizerMonitor(), norms),
        logger=kept,
        log_every_n_steps=2,
        limit_train_batches=batches,
        accumulate_grad_batches=accumulated,
        gradient_clip_val=1e-3,
    ).fit(make_vae(), data)

    assert kept.found["train/grad_norm"] == pytest.approx({2: norms.found[1], 4: norms.found[3]}, rel=1e-5)
    assert min(norms.found) > 1e-2


def test_the_learning_rate_is_that_of_the_step(make_vae, data, make_short_trainer):
    kept = Kept("learning_rate")
    schedule = partial(WarmupCosine, warmup=4, decay_start=5, decay_steps=20)
    used = []

    class Used(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            used.append(optimizer.param_groups[0]["lr"])

    make_short_trainer(*(Used(), OptimizerMonitor()), logger=kept, log_every_n_steps=1, limit_train_batches=3).fit(
        make_vae(scheduler=schedule), data
    )

    assert kept.found["train/learning_rate"] == dict(zip((1, 2, 3), used, strict=True))
    assert len(set(used)) == 3


def test_groups_of_parameters_have_a_learning_rate_each(make_vae, data, make_short_trainer):
    kept = Kept("")

    def two_groups(parameters):
        first, *others = parameters
        return torch.optim.SGD([{"params": [first], "lr": 0.1}, {"params": others, "lr": 0.2}])

    make_short_trainer(OptimizerMonitor(), logger=kept, log_every_n_steps=1, limit_train_batches=1).fit(
        make_vae(optimizer=two_groups), data
    )

    assert {name: kept.found[f"train/learning_rate/{name}"][1] for name in (0, 1)} == {0: 0.1, 1: 0.2}


def test_an_update_that_is_left_out_has_its_gradient_logged_once(make_vae, data, make_short_trainer):
    kept = Kept("grad_norm")

    class Spoil(Callback):
        def on_after_backward(self, trainer, pl_module):
            next(pl_module.parameters()).grad *= float("inf")

    trainer = make_short_trainer(
        *(OptimizerMonitor(), UpdateGuard(), Spoil()), logger=kept, log_every_n_steps=1, limit_train_batches=2
    )
    trainer.fit(make_vae(), data)

    assert list(kept.found["train/grad_norm"].values()) == [float("inf")] * 2
    assert "train/grad_norm" not in trainer.logged_metrics
    assert trainer.logged_metrics["train/skipped_updates"] == 2


@pytest.mark.parametrize("fused", [False, True])
def test_in_float16_the_loss_scale_is_taken_out(make_vae, data, make_short_trainer, fused):
    def norm(scale):
        kept = Kept("grad_norm")
        make_short_trainer(
            OptimizerMonitor(),
            logger=kept,
            log_every_n_steps=1,
            limit_train_batches=1,
            plugins=[MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale))],
        ).fit(make_vae(optimizer=partial(torch.optim.AdamW, fused=fused)), data)
        return kept.found["train/grad_norm"][1]

    assert norm(16.0) == pytest.approx(norm(1.0), rel=1e-2)


def test_a_step_that_is_not_logged_waits_for_nothing(make_vae, data, make_short_trainer, monkeypatch):
    measured = []
    monkeypatch.setattr(
        "lit_vae.callbacks.optimizer_monitor.gradient_norm", lambda optimizer: measured.append(1) or torch.zeros(())
    )

    make_short_trainer(OptimizerMonitor(), logger=Kept(""), log_every_n_steps=3, limit_train_batches=7).fit(
        make_vae(), data
    )
    make_short_trainer(OptimizerMonitor(), limit_train_batches=7, log_every_n_steps=1).fit(make_vae(), data)

    assert len(measured) == 2


def test_the_epoch_is_logged_beside_steps_and_validations(make_vae, data, make_short_trainer):
    kept = Kept("epoch")

    make_short_trainer(OptimizerMonitor(), logger=kept, log_every_n_steps=1, max_epochs=2).fit(make_vae(), data)

    assert kept.found["epoch"] == {1: 0, 2: 0, 3: 1, 4: 1}
