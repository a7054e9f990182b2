"""Updates that would wreck a run are left out without a trace, and the run goes on or says what is wrong."""

import math
from functools import partial

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.plugins.precision import MixedPrecision
from tiny import NormedConvVAE, parts

from lit_vae import LitVAE
from lit_vae.backbones import ConvVAE
from lit_vae.callbacks import EMA, KeepLast, UpdateGuard
from lit_vae.callbacks.update_guard import Tolerance
from lit_vae.schedules import WarmupCosine

# ---- the tolerance ----


@pytest.fixture
def settled():
    """A tolerance that has seen lengths around 1."""

    def make(memory=20, deviations=6.0, spread=0.3):
        tolerance = Tolerance(deviations, memory)
        generator = torch.Generator().manual_seed(memory)
        for length in torch.randn(3 * memory, generator=generator).mul(spread).exp().tolist():
            assert tolerance.admits(length)
        return tolerance

    return make


@pytest.mark.parametrize("length", [float("nan"), float("inf")])
def test_what_is_not_finite_is_never_admitted_and_teaches_nothing(settled, length):
    tolerance = settled()
    before = vars(tolerance).copy()

    assert not any(tolerance.admits(length) for _ in range(100))
    assert vars(tolerance) == before


def test_an_outlier_is_left_out_and_the_usual_is_admitted_after_it(settled):
    tolerance = settled()

    assert not tolerance.admits(1000.0)
    assert tolerance.admits(1.0)


def test_shorter_lengths_are_always_admitted(settled):
    tolerance = settled()

    assert all(tolerance.admits(length) for length in (0.5, 1e-6, 0.0, 1e-30))


@pytest.mark.parametrize("memory", [2, 100, 10_000])
@pytest.mark.parametrize("deviations", [1.5, 6.0])
@pytest.mark.parametrize("jump", [5.0, 1e3, 1e38])
def test_a_lasting_change_is_taken_up_before_the_budget_whatever_its_size(settled, memory, deviations, jump):
    tolerance = Tolerance(deviations, memory)
    tolerance.seen = memory

    left_out = 0
    while not tolerance.admits(jump):
        left_out += 1
    after = [tolerance.admits(jump) for _ in range(200)]

    assert left_out < 30
    assert sum(not admitted for admitted in after) < 20
    assert all(after[-100:])


def test_lengths_that_scatter_are_admitted():
    """One in a thousand is beyond e^3 times the median here."""
    tolerance = Tolerance(6.0, 100)
    lengths = torch.randn(20_000, generator=torch.Generator().manual_seed(1)).exp().tolist()

    assert sum(not tolerance.admits(length) for length in lengths) <= 2


def test_lengths_that_drift_are_admitted():
    tolerance = Tolerance(6.0, 50)

    assert all(tolerance.admits(math.exp(0.02 * step)) for step in range(3000))


# ---- in training ----


class Spoil(Callback):
    """Multiplies the gradient of some steps."""

    def __init__(self, factors):
        self.factors = factors

    def on_after_backward(self, trainer, pl_module):
        factor = self.factors.get(trainer.global_step, 1.0)
        for weight in pl_module.head.parameters():
            weight.grad *= factor


class Watch(Callback):
    """Keeps everything that an update changes, after each batch."""

    def __init__(self):
        self.states = []

    def on_train_batch_end(self, trainer, pl_module, *args):
        self.states.append(snapshot(trainer, pl_module))


def snapshot(trainer, pl_module):
    """Weights and buffers, the optimizer's state, and the averages, as lists of tensors."""
    (optimizer,) = trainer.optimizers
    saved = optimizer.state_dict()
    averages = [callback._averages for callback in trainer.callbacks if isinstance(callback, EMA)]
    return [
        *(value.clone() for value in pl_module.state_dict().values()),
        *(torch.as_tensor(value).clone() for state in saved["state"].values() for value in state.values()),
        *(torch.tensor(group["lr"], dtype=torch.float64) for group in saved["param_groups"]),
        *(average.clone() for kept in averages for average in kept.values()),
    ]


def same(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


OPTIMIZERS = {
    "Adam": partial(torch.optim.Adam, lr=0.01),
    "AdamW, fused": partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1, fused=True),
    "Adamax": partial(torch.optim.Adamax, lr=0.01, weight_decay=0.1, foreach=True),
    "RAdam": partial(torch.optim.RAdam, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    "SGD": partial(torch.optim.SGD, lr=0.01, momentum=0.9, weight_decay=0.1),
}


@pytest.fixture
def make_vae(data):
    schedule = partial(WarmupCosine, warmup=2, decay_start=3, decay_steps=20)
    return lambda optimizer=OPTIMIZERS["Adam"], backbone=ConvVAE: LitVAE(
        **parts(data, backbone), optimizer=optimizer, scheduler=schedule
    )


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e9])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_that_is_left_out_changes_nothing(make_vae, data, make_short_trainer, name, factor):
    vae, watch = make_vae(OPTIMIZERS[name], NormedConvVAE), Watch()
    callbacks = [UpdateGuard(memory=3), EMA(0.9), Spoil({4: factor}), watch]

    trainer = make_short_trainer(*callbacks, limit_train_batches=6, gradient_clip_val=1e-2, log_every_n_steps=1)
    trainer.fit(vae, data)

    changes = [not same(one, other) for one, other in zip(watch.states, watch.states[1:], strict=False)]
    assert changes == [True, True, True, False, True]
    assert trainer.global_step == 6
    assert trainer.logged_metrics["train/skipped_updates"] == 1


def test_only_what_is_not_finite_is_left_out_before_enough_was_seen(make_vae, data, make_short_trainer):
    watch = Watch()

    trainer = make_short_trainer(
        UpdateGuard(memory=4), Spoil({1: 1e9, 2: float("nan")}), watch, limit_train_batches=4, gradient_clip_val=1.0
    )
    trainer.fit(make_vae(), data)

    assert [same(*pair) for pair in zip(watch.states, watch.states[1:], strict=False)] == [False, True, False]


def test_a_fixed_scale_of_all_later_gradients_is_recovered_from(make_vae, data, make_short_trainer):
    """As in https://github.com/openai/vdvae/issues/25, where nothing is ever let through again."""
    watch = Watch()
    spoil = Spoil(dict.fromkeys(range(6, 100), 1e5))

    trainer = make_short_trainer(
        UpdateGuard(memory=5), spoil, watch, limit_train_batches=20, max_epochs=2, gradient_clip_val=1.0
    )
    trainer.fit(make_vae(), data)

    left_out = [same(*pair) for pair in zip(watch.states, watch.states[1:], strict=False)]
    assert left_out[5]
    assert not any(left_out[25:])


def test_a_row_of_broken_updates_stops_the_run_with_what_is_wrong(make_vae, data, make_short_trainer, tmp_path):
    vae, watch = make_vae(), Watch()
    spoil = Spoil(dict.fromkeys(range(2, 100), float("nan")))
    trainer = make_short_trainer(UpdateGuard(budget=3), spoil, watch, KeepLast(tmp_path), limit_train_batches=20)

    with pytest.raises(
        FloatingPointError,
        match=r"3 updates in a row .* length of nan at step 2: not finite in head\.\S+, .* of \d+ parameters; "
        r"loss terms: train/loss \d.*train/rate.*model\.optimizer\.init_args\.lr.*budget, 3",
    ):
        trainer.fit(vae, data)

    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert same(watch.states[1][: len(saved)], list(saved.values()))


def test_a_row_of_long_gradients_is_told_by_the_longest(make_vae, data, make_short_trainer):
    spoil = Spoil({3: 1e9})

    with pytest.raises(FloatingPointError, match=r"at step 3: longest in head\.\S+ \(\d.*\), "):
        make_short_trainer(UpdateGuard(memory=2, budget=1), spoil, limit_train_batches=5).fit(make_vae(), data)


def test_a_run_resumes_bit_for_bit_after_skips(make_vae, data, make_short_trainer, tmp_path):
    spoil = Spoil({3: 1e9, 4: float("nan"), 7: 1e9})

    def run(folder, steps, **resume):
        torch.manual_seed(1)
        trainer = make_short_trainer(
            *(UpdateGuard(memory=3), EMA(0.9), spoil, KeepLast(tmp_path / folder)),
            limit_train_batches=5,
            max_epochs=-1,
            max_steps=steps,
        )
        vae = make_vae(backbone=NormedConvVAE)
        trainer.fit(vae, data, **resume)
        guard = torch.load(tmp_path / folder / "last.ckpt", weights_only=True)["callbacks"]["UpdateGuard"]
        return [
            *snapshot(trainer, vae),
            *(torch.tensor(guard[name]) for name in sorted(guard) if name not in ("diagnosis", "before")),
        ]

    whole = run("whole", 9)
    run("stopped", 4)

    resumed = run("resumed", 9, ckpt_path=tmp_path / "stopped" / "last.ckpt", weights_only=True)

    assert same(resumed, whole)
    assert whole[-1] == 3


def test_accumulated_batches_are_left_out_together(make_vae, data, make_short_trainer):
    """The second of two batches spoils both; their statistics are taken back."""
    watch = Watch()
    spoil = Spoil({1: float("nan")})

    trainer = make_short_trainer(
        UpdateGuard(), spoil, watch, limit_train_batches=6, accumulate_grad_batches=2, gradient_clip_val=1.0
    )
    trainer.fit(make_vae(backbone=NormedConvVAE), data)

    assert same(watch.states[1], watch.states[3])
    assert not same(watch.states[3], watch.states[5])


@pytest.mark.parametrize("fused", [False, True])
def test_in_bfloat16_a_fused_optimizer_is_clipped_and_guarded(make_vae, data, make_short_trainer, fused):
    watch, clipped = Watch(), []

    class Clipped(Callback):
        def on_train_batch_end(self, trainer, pl_module, *args):
            gradients = [weight.grad for weight in pl_module.parameters() if weight.grad is not None]
            clipped.append(torch.nn.utils.get_total_norm(gradients).item())

    trainer = make_short_trainer(
        *(UpdateGuard(), Spoil({2: float("inf")}), watch, Clipped()),
        limit_train_batches=4,
        gradient_clip_val=1e-4,
        precision="bf16-mixed",
    )
    trainer.fit(make_vae(partial(torch.optim.AdamW, lr=0.01, fused=fused)), data)

    assert [same(*pair) for pair in zip(watch.states, watch.states[1:], strict=False)] == [False, True, False]
    assert clipped == pytest.approx([1e-4, 1e-4, 0.0, 1e-4], rel=1e-2)


@pytest.mark.parametrize("fused", [False, True])
def test_in_float16_an_overflow_is_left_out_and_lowers_the_loss_scale(make_vae, data, make_short_trainer, fused):
    watch, scales = Watch(), []

    class Scales(Callback):
        def on_train_batch_end(self, trainer, *args):
            scales.append(trainer.precision_plugin.scaler.get_scale())

    trainer = make_short_trainer(
        *(UpdateGuard(memory=2), EMA(0.9), Spoil({2: float("inf"), 4: 1e4}), watch, Scales()),
        limit_train_batches=6,
        plugins=[MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=16.0))],
    )
    trainer.fit(make_vae(partial(torch.optim.AdamW, lr=0.01, fused=fused)), data)

    assert scales == [16.0, 16.0, 8.0, 8.0, 8.0, 8.0]
    assert [same(*pair) for pair in zip(watch.states, watch.states[1:], strict=False)] == [
        False,
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("arguments", [{"deviations": 0.0}, {"memory": 1}, {"budget": 0}])
def test_numbers_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match=r"trainer\.callbacks: UpdateGuard's .* got"):
        UpdateGuard(**arguments)
