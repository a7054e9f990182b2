"""Training in stages, and an encoder that catches up."""

import pytest
import torch
from lightning.pytorch import Callback

from lit_vae import LitVAE
from lit_vae.backbones import RecurrentVAE
from lit_vae.callbacks import AggressiveEncoder, CollapseWatch, KeepLast, Stage, Stages
from lit_vae.data import TextLinesDataModule
from lit_vae.heads import LSTMTokenHead
from lit_vae.objectives import ELBO, Linear
from lit_vae.sides import sides
from lit_vae.tokenizers import Characters

LINES = "\n".join(f"{number} times {number + 1} is {number * (number + 1)}." for number in range(60))


@pytest.fixture
def data(tmp_path):
    (tmp_path / "texts.txt").write_text(LINES, encoding="utf-8")
    return TextLinesDataModule(
        str(tmp_path / "texts.txt"), Characters(), max_length=40, batch_size=8, cache_dir=str(tmp_path / "cache")
    )


@pytest.fixture
def vae(data):
    torch.manual_seed(0)
    head = LSTMTokenHead(4, data.num_values, data.shape, embed_width=4, hidden=6, own_table=True)
    return LitVAE(
        RecurrentVAE(4, (None,), width=4, hidden=6, latent=3),
        head,
        ELBO(per="example", kl_weight=Linear(steps=4)),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.01),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5),
    )


class Watch(Callback):
    """Remembers weights, learning rate and KL weight at each step."""

    def __init__(self):
        self.weights, self.rates, self.kl_weights = [], [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.weights.append({name: weight.detach().clone() for name, weight in pl_module.named_parameters()})
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.kl_weights.append(trainer.callback_metrics["train/kl_weight"].item())

    def changed(self, step, names):
        """Whether any, and whether all, of some weights changed in a step."""
        changes = [not torch.equal(self.weights[step][name], self.weights[step + 1][name]) for name in names]
        return any(changes), all(changes)


AUTOENCODER = ELBO(per="example", kl_weight=0.0)


def parts_of(vae, data):
    return sides(vae, data.dataset("train").__getitems__([0, 1]))


def test_an_autoencoder_comes_first_then_the_decoder_begins_anew(vae, data, make_short_trainer):
    watch = Watch()
    stages = Stages([Stage(share=0.5, objective=AUTOENCODER), Stage(reset="decoder")])

    make_short_trainer(stages, watch, max_epochs=4, limit_val_batches=0).fit(vae, data)

    parts = parts_of(vae, data)
    assert watch.kl_weights[:4] == [0.0] * 4
    assert watch.kl_weights[4:] == sorted(set(watch.kl_weights[4:]))
    assert watch.kl_weights[4] <= 0.25
    assert all(torch.equal(watch.weights[4][name], watch.weights[0][name]) for name in parts.decoder)
    assert not any(torch.equal(watch.weights[4][name], watch.weights[0][name]) for name in parts.encoder)


def test_optimizer_and_schedule_begin_anew_with_a_stage(vae, data, make_short_trainer):
    watch = Watch()

    make_short_trainer(Stages([Stage(share=0.5), Stage(share=0.5)]), watch, max_epochs=2, limit_val_batches=0).fit(
        vae, data
    )

    assert watch.rates == [0.01, 0.005, 0.01, 0.005]
    moments = vae.optimizers().state_dict()["state"]
    assert {int(moment["step"]) for moment in moments.values()} == {2}


@pytest.mark.parametrize(("trains", "rests"), [("encoder", "decoder"), ("decoder", "encoder")])
def test_one_side_trains_alone(vae, data, make_short_trainer, trains, rests):
    watch = Watch()

    make_short_trainer(Stages([Stage(trains=trains)]), watch, limit_val_batches=0).fit(vae, data)

    parts = parts_of(vae, data)
    assert watch.changed(0, parts.of(trains)) == (True, True)
    assert watch.changed(0, parts.of(rests)) == (False, False)


@pytest.mark.parametrize("stop", [3, 5])
def test_a_training_in_stages_resumes_as_if_it_had_never_stopped(vae, data, make_short_trainer, tmp_path, stop):
    def train(*callbacks, ckpt_path=None, **settings):
        torch.manual_seed(0)
        stages = Stages([Stage(share=0.5, objective=AUTOENCODER), Stage(reset="decoder")])
        trainer = make_short_trainer(stages, *callbacks, max_epochs=4, limit_val_batches=0, **settings)
        trainer.fit(vae, data, ckpt_path=ckpt_path, weights_only=True)

    start = {name: value.clone() for name, value in vae.state_dict().items()}
    train()
    whole = {name: value.clone() for name, value in vae.state_dict().items()}

    vae.load_state_dict(start)
    keep_last = KeepLast(tmp_path)
    train(keep_last, max_steps=stop)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.zero_()
    train(ckpt_path=keep_last.path)

    assert all(torch.equal(value, whole[name]) for name, value in vae.state_dict().items())


@pytest.mark.parametrize("stages", [[], [Stage(), Stage()], [Stage(share=0.0)], [Stage(share=0.7), Stage(share=0.4)]])
def test_stages_that_do_not_follow_each_other_are_refused(stages):
    with pytest.raises(ValueError, match="each but the last with a share of the epochs"):
        Stages(stages)


@pytest.mark.parametrize("length", [{"max_epochs": 1}, {"max_epochs": -1, "max_steps": 3}])
def test_a_training_too_short_or_without_end_is_not_divided(vae, data, make_short_trainer, length):
    with pytest.raises(ValueError, match=r"Stages divides trainer\.max_epochs: set it to 2 or more"):
        make_short_trainer(Stages([Stage(share=0.5), Stage()]), **length).fit(vae, data)


def test_the_encoder_trains_until_its_loss_no_longer_falls_then_the_decoder_for_a_step(vae, data, make_short_trainer):
    watch = Watch()

    make_short_trainer(
        AggressiveEncoder(window=1, most=2), CollapseWatch(0), watch, limit_train_batches=7, limit_val_batches=1
    ).fit(vae, data)

    parts = parts_of(vae, data)
    encoder = [watch.changed(step, parts.encoder)[0] for step in range(4)]
    decoder = [watch.changed(step, parts.decoder)[0] for step in range(4)]
    assert encoder == [True, True, False, True]
    assert decoder == [False, False, True, False]
    assert watch.kl_weights == [0.0, 0.0, 0.0, 0.25, 0.25, 0.25]


def test_a_batch_of_longer_texts_is_no_sign_that_the_encoder_has_caught_up(vae, data, make_trainer):
    short, long = (data.dataset("train").__getitems__([0, 1])[:1] for _ in range(2))
    long.mask[:] = True
    short.mask[:] = False
    short.mask[:, :2] = True
    aggressive, trainer, turns = AggressiveEncoder(window=1, most=5), make_trainer(), []

    for batch, nats in ((short, 3.0), (long, 2.5), (short, 2.6)):  # of a symbol
        symbols = batch.counts.sum()
        aggressive.on_train_batch_end(trainer, vae, {"nats": nats * symbols, "symbols": symbols}, batch, 0)
        turns.append(aggressive.state_dict()["decoders_turn"])

    assert turns == [False, False, True]


def test_aggression_ends_when_the_mutual_information_falls(vae, data, make_short_trainer):
    watch, aggressive = Watch(), AggressiveEncoder(window=1, most=2)
    aggressive.load_state_dict(aggressive.state_dict() | {"information": 100.0})

    make_short_trainer(aggressive, CollapseWatch(0), watch, max_epochs=2).fit(vae, data)

    parts = parts_of(vae, data)
    assert watch.changed(0, parts.decoder) == (False, False)
    assert watch.changed(2, parts.decoder)[0]
    assert watch.changed(2, parts.encoder)[0]


def test_what_a_recipe_needs_of_the_trainer_is_asked_before_training(vae, data, make_short_trainer, monkeypatch):
    monkeypatch.setattr(type(vae), "on_train_start", lambda self: pytest.fail("training began"))

    with pytest.raises(ValueError, match=r"set trainer\.accumulate_grad_batches to 1"):
        make_short_trainer(AggressiveEncoder(), CollapseWatch(), accumulate_grad_batches=2).fit(vae, data)
    with pytest.raises(ValueError, match="CollapseWatch reports: add it"):
        make_short_trainer(AggressiveEncoder()).fit(vae, data)
    with pytest.raises(ValueError, match=r"Stages divides trainer\.max_epochs"):
        make_short_trainer(Stages([Stage(share=0.5), Stage()])).fit(vae, data)


def test_a_model_that_does_not_change_tells_as_much_at_every_validation(vae, data, make_short_trainer):
    still = LitVAE(vae.backbone, vae.head, vae.objective, lambda parameters: torch.optim.SGD(parameters, lr=0.0))
    aggressive = AggressiveEncoder(window=1, most=2)

    make_short_trainer(aggressive, CollapseWatch(0), max_epochs=3).fit(still, data)

    assert not aggressive.state_dict()["over"]


def test_aggression_without_a_measure_to_end_it_is_refused(vae, data, make_short_trainer):
    with pytest.raises(ValueError, match="goes by val/mutual_information"):
        make_short_trainer(AggressiveEncoder()).fit(vae, data)
