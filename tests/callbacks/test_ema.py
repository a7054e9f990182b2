"""Averaged weights: what they are, where they are used, and that training never sees them."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from tiny import NormedConvVAE, parts

from lit_vae import LitVAE
from lit_vae.backbones import ConvVAE
from lit_vae.callbacks import EMA, KeepLast
from lit_vae.callbacks.ema import averaged


@pytest.fixture
def make_vae(data):
    return lambda backbone=ConvVAE: LitVAE(**parts(data, backbone), optimizer=partial(torch.optim.Adam, lr=0.05))


class Watch(Callback):
    """Keeps the weights: before training, after each batch, and in each validation."""

    def __init__(self):
        self.trained, self.validated, self.controllers = [], [], []

    def on_train_start(self, trainer, pl_module):
        self.trained.append(flat(pl_module))

    def on_train_batch_end(self, trainer, pl_module, *args):
        self.trained.append(flat(pl_module))

    def on_validation_epoch_end(self, trainer, pl_module):
        self.validated.append(flat(pl_module))


def flat(source):
    """Weights and running statistics as one vector, of a module or of a state."""
    values = averaged(source) if isinstance(source, torch.nn.Module) else source
    return torch.cat([values[name].detach().flatten().double() for name in sorted(values)])


def statistics(module):
    """Which numbers of :func:`flat` are running statistics."""
    values = averaged(module)
    return torch.cat(
        [
            torch.full([values[name].numel()], not isinstance(values[name], torch.nn.Parameter))
            for name in sorted(values)
        ]
    )


def part(state, names):
    return {name: state[name] for name in names}


def average(weights, decay, warmup=False):
    """By hand, in double precision."""
    mean = weights[0]
    for update, weight in enumerate(weights[1:]):
        kept = min(decay, (1 + update) / (10 + update)) if warmup else decay
        mean = kept * mean + (1 - kept) * weight
    return mean


def close(one, other):
    return torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("warmup", [False, True])
@pytest.mark.parametrize("backbone", [ConvVAE, NormedConvVAE])
def test_the_averages_of_weights_and_running_statistics_are_validated(
    make_vae, data, make_short_trainer, backbone, warmup
):
    vae, watch = make_vae(backbone), Watch()
    trainer = make_short_trainer(EMA(0.7, warmup=warmup), watch, max_epochs=2)

    trainer.fit(vae, data)

    first, second = watch.validated[-2:]
    start, *trained = watch.trained
    start = torch.where(statistics(vae), trained[0], start)  # before any batch, statistics are none
    assert close(first, average([start, *trained[:2]], 0.7, warmup))
    assert close(second, average([start, *trained], 0.7, warmup))
    assert not close(first, trained[1])


def test_the_average_of_a_running_statistic_has_nothing_of_its_initial_value(make_vae, data, make_short_trainer):
    vae = make_vae(NormedConvVAE)
    vae.backbone.norm.momentum = 1.0  # the newest batch alone
    vae.backbone.norm.running_var.fill_(1e6)

    make_short_trainer(EMA(0.999, warmup=False)).fit(vae, data)

    assert vae.backbone.norm.running_var.max() < 1e3


def test_training_never_sees_the_averages(make_vae, data, make_short_trainer):
    def run(*callbacks):
        watch = Watch()
        torch.manual_seed(1)
        make_short_trainer(*callbacks, watch, max_epochs=3).fit(make_vae(NormedConvVAE), data)
        return watch.trained

    with_averages, without = run(EMA(0.9, raw=True)), run()

    assert all(torch.equal(one, other) for one, other in zip(with_averages, without, strict=True))


def test_after_training_the_model_is_the_average(make_vae, data, make_short_trainer):
    vae, watch = make_vae(), Watch()

    make_short_trainer(EMA(0.7, warmup=False), watch).fit(vae, data)

    assert close(flat(vae), average(watch.trained, 0.7))


def test_buffers_that_are_no_statistics_are_left_alone(make_vae, data, make_short_trainer):
    vae = make_vae(NormedConvVAE)

    make_short_trainer(EMA(0.7)).fit(vae, data)

    assert vae.backbone.controller == 2
    assert vae.backbone.norm.num_batches_tracked == 2


def test_until_a_late_start_the_average_is_the_weights(make_vae, data, make_short_trainer, tmp_path):
    vae, watch = make_vae(), Watch()
    keep = ModelCheckpoint(tmp_path, save_top_k=-1, every_n_epochs=1, filename="{step}")
    trainer = make_short_trainer(EMA(0.7, start=3, warmup=False), watch, keep, max_epochs=3, enable_checkpointing=True)

    trainer.fit(vae, data)

    early = torch.load(tmp_path / "step=2.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(watch.validated[-3], watch.trained[2])
    assert torch.equal(flat(part(early, averaged(vae))), watch.trained[2])
    assert close(watch.validated[-2], average(watch.trained[3:5], 0.7))
    assert close(watch.validated[-1], average(watch.trained[3:7], 0.7))


def test_both_are_reported_where_asked(make_vae, data, make_short_trainer, tmp_path):
    vae = make_vae()
    trainer = make_short_trainer(EMA(0.9, warmup=False, raw=True), KeepLast(tmp_path))
    trainer.fit(vae, data)
    reported = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
    trained = make_vae()
    trained.load_state_dict(torch.load(tmp_path / "last.ckpt", weights_only=True)["trained_weights"], strict=True)

    averages, raw = (make_short_trainer().validate(model, data, verbose=False)[0] for model in (vae, trained))

    assert averages["val/nelbo"] != pytest.approx(raw["val/nelbo"], rel=1e-3)
    expected = averages | {name.replace("val/", "val/raw/"): value for name, value in raw.items()}
    assert reported == pytest.approx(expected, rel=1e-6)


def test_a_checkpoint_is_tested_on_its_averages_and_on_its_weights_where_asked(
    make_vae, data, make_short_trainer, tmp_path
):
    watch = Watch()
    make_short_trainer(EMA(0.9, warmup=False), KeepLast(tmp_path), watch, max_epochs=2).fit(make_vae(), data)
    file = tmp_path / "last.ckpt"
    tester = make_short_trainer(EMA(0.9, raw=True), KeepLast(tmp_path), limit_test_batches=1)

    (found,) = tester.test(make_vae(), data, ckpt_path=file, weights_only=True, verbose=False)

    loaded = LitVAE.load_from_checkpoint(file, **parts(data))
    assert close(flat(loaded), average(watch.trained, 0.9))
    short = {"limit_test_batches": 1}
    (averages,) = make_short_trainer(**short).test(loaded, data, verbose=False)
    loaded.load_state_dict(torch.load(file, weights_only=True)["trained_weights"])
    (raw,) = make_short_trainer(**short).test(loaded, data, verbose=False)
    assert found["test/nelbo"] == pytest.approx(averages["test/nelbo"])
    assert found["test/raw/nelbo"] == pytest.approx(raw["test/nelbo"])


def everything(file):
    """What a run comes down to: trained weights, averages, the optimizer's state."""
    checkpoint = torch.load(file, weights_only=True)
    assert checkpoint["callbacks"]["EMA"]["updates"] == 6
    states = checkpoint["optimizer_states"][0]["state"]
    moments = torch.cat([value.flatten().double() for state in states.values() for value in state.values()])
    return [
        flat(checkpoint["trained_weights"]),
        flat(part(checkpoint["state_dict"], checkpoint["trained_weights"])),
        moments,
    ]


@pytest.mark.parametrize("precision", ["32-true", "bf16-true"])
def test_a_run_with_averages_resumes_bit_for_bit(make_vae, data, make_short_trainer, tmp_path, precision):
    def run(folder, epochs, **resume):
        torch.manual_seed(1)
        trainer = make_short_trainer(EMA(0.9), KeepLast(tmp_path / folder), max_epochs=epochs, precision=precision)
        trainer.fit(make_vae(), data, **resume)
        return tmp_path / folder / "last.ckpt"

    whole = everything(run("whole", 3))
    stopped = run("stopped", 1)

    resumed = everything(run("resumed", 3, ckpt_path=stopped, weights_only=True))

    assert all(torch.equal(one, other) for one, other in zip(resumed, whole, strict=True))
    assert not torch.equal(whole[0], whole[1])


def test_training_goes_on_from_the_trained_weights_without_the_callback(make_vae, data, make_short_trainer, tmp_path):
    def run(*callbacks, epochs=2, **resume):
        torch.manual_seed(1)
        watch = Watch()
        make_short_trainer(*callbacks, watch, max_epochs=epochs).fit(make_vae(), data, **resume)
        return watch.trained

    whole = run()
    run(EMA(0.9), KeepLast(tmp_path), epochs=1)

    with pytest.warns(UserWarning, match="EMA"):
        resumed = run(ckpt_path=tmp_path / "last.ckpt", weights_only=True)

    assert all(torch.equal(one, other) for one, other in zip(resumed, whole[2:], strict=True))


def test_averaging_begins_where_a_run_without_it_is_resumed(make_vae, data, make_short_trainer, tmp_path):
    make_short_trainer(KeepLast(tmp_path)).fit(make_vae(), data)
    vae, watch = make_vae(), Watch()

    trainer = make_short_trainer(EMA(0.9, warmup=False), watch, max_epochs=2)
    trainer.fit(vae, data, ckpt_path=tmp_path / "last.ckpt", weights_only=True)

    assert close(flat(vae), average(watch.trained, 0.9))


def test_a_failure_in_the_middle_of_a_validation_saves_and_leaves_the_trained_weights(
    make_vae, data, make_short_trainer, tmp_path
):
    class Fail(Callback):
        def on_validation_batch_end(self, trainer, *args):
            if not trainer.sanity_checking:
                raise RuntimeError("broken")

    vae, watch = make_vae(), Watch()
    with pytest.raises(RuntimeError, match="broken"):
        make_short_trainer(KeepLast(tmp_path), EMA(0.7, warmup=False), Fail(), watch).fit(vae, data)

    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert torch.equal(flat(vae), watch.trained[-1])
    assert torch.equal(flat(saved["trained_weights"]), watch.trained[-1])
    assert close(flat(part(saved["state_dict"], saved["trained_weights"])), average(watch.trained, 0.7))


def test_an_average_counts_updates_not_batches(make_vae, data, make_short_trainer):
    vae, watch = make_vae(), Watch()

    make_short_trainer(EMA(0.7, warmup=False), watch, accumulate_grad_batches=2, limit_train_batches=4).fit(vae, data)

    assert close(flat(vae), average([watch.trained[0], *watch.trained[2::2]], 0.7))


def test_an_update_without_gradients_leaves_the_average_alone(make_vae, data, make_short_trainer):
    class LeaveOut(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            if trainer.global_step == 1:
                optimizer.zero_grad()

    vae, watch = make_vae(), Watch()

    make_short_trainer(EMA(0.7, warmup=False), LeaveOut(), watch, limit_train_batches=3).fit(vae, data)

    assert torch.equal(watch.trained[1], watch.trained[2])
    assert close(flat(vae), average([watch.trained[0], watch.trained[1], watch.trained[3]], 0.7))


def test_training_again_in_one_process_goes_on_from_the_trained_weights(make_vae, data, make_short_trainer):
    vae, watch, ema = make_vae(), Watch(), EMA(0.9)
    make_short_trainer(ema, watch).fit(vae, data)

    make_short_trainer(ema, watch).fit(vae, data)

    assert torch.equal(watch.trained[3], watch.trained[2])


def test_another_model_does_not_inherit_averages(make_vae, data, make_short_trainer):
    ema, watch = EMA(0.9), Watch()
    make_short_trainer(ema).fit(make_vae(), data)
    other = make_vae()
    before = flat(other)

    make_short_trainer(ema, watch).fit(other, data)

    assert torch.equal(watch.trained[0], before)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"decay": 1.0}, "decay .* got 1.0"), ({"start": -1}, "start .* got -1")]
)
def test_numbers_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=rf"trainer\.callbacks: EMA's {message}"):
        EMA(**arguments)


def test_checkpoints_of_weights_alone_are_refused(make_vae, data, make_short_trainer, tmp_path):
    saver = ModelCheckpoint(tmp_path, save_weights_only=True)

    with pytest.raises(ValueError, match=r"checkpoint\.save_weights_only"):
        make_short_trainer(EMA(), saver, enable_checkpointing=True).fit(make_vae(), data)
