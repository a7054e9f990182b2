"""What the one module promises, built in Python, trained, saved, loaded and shown."""

from functools import partial

import pytest
import torch
from contracts.registry import BACKBONES, pictures_in, vae_of
from lightning.pytorch.cli import ReduceLROnPlateau

from lit_vae import LitVAE
from lit_vae.backbones import ConvVAE, RecurrentVAE
from lit_vae.batch import Batch
from lit_vae.cli import main
from lit_vae.data import ImageDataModule, TextLinesDataModule
from lit_vae.decoding import GREEDY, Decoding
from lit_vae.draws import FromPrior, posterior_mean
from lit_vae.heads import LogisticPixelHead, LSTMTokenHead, SoftmaxPixelHead
from lit_vae.noise import IndexedNoise, StreamNoise
from lit_vae.objectives import ELBO, Linear
from lit_vae.symbols import Pixels
from lit_vae.tokenizers import Characters

LINES = "\n".join(f"{number} times {number + 1} is {number * (number + 1)}." for number in range(60))


class Squares(ImageDataModule):
    """Twenty-two pictures, 4x4, of 5 grey levels."""

    def __init__(self, levels=5, batch_size=4):
        super().__init__(batch_size)
        self.levels = levels

    @property
    def symbols(self):
        return Pixels("squares", self.levels, (1, 4, 4))

    def read(self, split):
        generator = torch.Generator().manual_seed(len(split))
        bright = torch.randint(self.levels, (22, 1, 4, 4), generator=generator, dtype=torch.uint8)
        return bright * torch.tensor([0, 0, 0, 1], dtype=torch.uint8)


def parts(levels=5):
    """Backbone, head and objective for :class:`Squares`."""
    head = LogisticPixelHead(width=4, num_values=levels, shape=(1, 4, 4), components=2)
    backbone = ConvVAE(head.embed_width, head.positions, width=4, latent=3, halvings=1)
    return {"backbone": backbone, "head": head, "objective": ELBO(per="symbol", kl_weight=Linear(5))}


def squares_vae(seed=0, **arguments):
    torch.manual_seed(seed)
    return LitVAE(**parts(), **arguments)


def text_vae(data, seed=0):
    torch.manual_seed(seed)
    head = LSTMTokenHead(4, data.num_values, data.shape, embed_width=4, hidden=6, word_dropout=0.5, dropout_out=0.2)
    return LitVAE(RecurrentVAE(4, (None,), width=4, hidden=6, latent=3), head, ELBO(per="symbol"))


@pytest.fixture
def lines(tmp_path):
    (tmp_path / "lines.txt").write_text(LINES, encoding="utf-8")
    return TextLinesDataModule(str(tmp_path / "lines.txt"), Characters(), max_length=40, batch_size=8)


@pytest.fixture
def trained(make_trainer):
    vae = squares_vae()
    make_trainer(max_steps=3, limit_val_batches=0).fit(vae, datamodule=Squares())
    return vae.eval()


def weights(vae):
    return torch.cat([parameter.detach().flatten() for parameter in vae.parameters()])


def rows(rendering):
    """What each example of a rendering shows."""
    return rendering.images if hasattr(rendering, "images") else rendering.texts


# ---- the parts ----


def test_parts_of_different_width_are_refused_with_what_to_change():
    wide = {**parts(), "head": LogisticPixelHead(width=7, num_values=5, shape=(1, 4, 4))}

    with pytest.raises(ValueError, match=r"width 4, the head reads 7.*model\.backbone\.init_args\.width"):
        LitVAE(**wide)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * 60, r"what LogisticPixelHead reads holds symbols 0 to 4, got 0 to 240: quantise the data"),
        (lambda x: x.int() - 1, r"holds symbols 0 to 4, got -1 to 3"),
        (lambda x: x[:, :, :2], r"made for examples of shape \[1, 4, 4\].* got a batch of shape \[22, 1, 2, 4\]"),
        (lambda x: x.expand(-1, 3, -1, -1), r"shape \[1, 4, 4\].* got a batch of shape \[22, 3, 4, 4\]"),
        (lambda x: x[:, 0], r"shape \[1, 4, 4\].* got a batch of shape \[22, 4, 4\]"),
    ],
    ids=["other levels", "negative", "other size", "other channels", "no channels"],
)
@pytest.mark.parametrize("training", [True, False])
def test_other_symbols_than_the_head_is_for_are_refused_in_training_and_in_evaluation(change, message, training):
    vae = squares_vae().train(training)
    x = Squares().dataset("val").__getitems__(list(range(22))).x
    batch = Batch(change(x), None, torch.arange(22))

    with pytest.raises(ValueError, match=message):
        vae.terms(batch, IndexedNoise(batch.index))


def test_in_training_on_a_gpu_only_the_first_batches_are_waited_for():
    def looks(device, training):
        vae = squares_vae().train(training)
        return [vae._looks_at(torch.device(device)) for _ in range(12)]

    assert looks("cuda", training=True) == [True] * 8 + [False] * 4
    assert all(looks("cuda", training=False) + looks("cpu", training=True) + looks("cpu", training=False))


def test_layers_are_drawn_with_noise_of_their_own_in_order():
    vae = vae_of(
        SoftmaxPixelHead(width=4, num_values=3, shape=(4, 4, 8)),
        BACKBONES["ladder"].build(),
    )
    batch = Batch(torch.zeros(2, 4, 4, 8, dtype=torch.uint8), None, torch.tensor([4, 2]))
    taken = []

    def spy(prior, posterior, noise, layer):
        taken.append(noise)
        return posterior.mean

    vae(batch, spy, IndexedNoise(batch.index))

    noise = IndexedNoise(batch.index)
    for given, layer in zip(taken, vae.backbone.layers((4, 8)), strict=True):
        assert torch.equal(given, noise.normal([2, *layer.shape]))


def test_generation_at_temperature_zero_takes_the_mean_of_the_prior():
    vae = squares_vae().eval()

    _, (latent,) = vae.generate([2, 4, 4], FromPrior(0.0), StreamNoise(0))

    assert torch.equal(latent.z, latent.prior.mean)


# ---- training and evaluation ----


def test_a_model_built_in_python_learns(make_trainer):
    vae, data = squares_vae(optimizer=partial(torch.optim.Adam, lr=3e-2)), Squares()
    trainer = make_trainer(max_epochs=6, limit_val_batches=0)
    (before,) = trainer.test(vae, datamodule=data, verbose=False)

    trainer.fit(vae, datamodule=data)

    (after,) = trainer.test(vae, datamodule=data, verbose=False)
    assert after["test/bits_per_dim"] < before["test/bits_per_dim"]


def test_a_validation_is_the_bound_of_the_split_in_the_units_of_the_field(make_trainer):
    vae, data = squares_vae().eval(), Squares()
    batch = data.dataset("val").__getitems__(list(range(22)))
    with torch.no_grad():
        terms = vae.terms(batch, IndexedNoise(batch.index))

    (found,) = make_trainer().validate(vae, datamodule=data, verbose=False)

    nelbo = terms.nelbo.double().mean().item()
    assert found == pytest.approx(
        {
            "val/bits_per_dim": nelbo / 16 / torch.tensor(2.0).log().item(),
            "val/nats_per_image": nelbo,
            "val/nelbo": nelbo,
            "val/rate": terms.rate.mean().item(),
            "val/distortion": terms.distortion.mean().item(),
            "val/kl/z": terms.kls[0].mean().item(),
            "val/examples": 22,
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("batch_size", [1, 5, 22])
def test_an_evaluation_does_not_depend_on_the_batch_size(make_trainer, batch_size):
    vae = squares_vae()

    found, usual = (
        make_trainer().test(vae, datamodule=Squares(batch_size=n), verbose=False)[0] for n in (batch_size, 4)
    )

    assert found == pytest.approx(usual, rel=1e-5, abs=1e-6)


def test_a_text_is_reported_per_token_per_sentence_and_per_character(make_trainer, lines):
    vae = text_vae(lines)
    dataset = lines.dataset("test")
    batch = dataset.__getitems__(list(range(len(dataset))))

    (found,) = make_trainer().test(vae, datamodule=lines, verbose=False)

    tokens = batch.counts.double().mean().item()
    characters = batch.units["character"].double().mean().item()
    assert tokens == characters + 1
    assert found["test/nats_per_sentence"] == pytest.approx(found["test/nelbo"])
    assert found["test/nats_per_token"] == pytest.approx(found["test/nelbo"] / tokens)
    assert found["test/perplexity"] == pytest.approx(torch.tensor(found["test/nats_per_token"]).exp().item())
    bits = found["test/nelbo"] / characters / torch.tensor(2.0).log().item()
    assert found["test/bits_per_character"] == pytest.approx(bits)


def test_the_true_bound_is_logged_beside_the_loss_that_is_warmed_up(make_trainer):
    vae = squares_vae()
    trainer = make_trainer(max_steps=1, limit_val_batches=0, log_every_n_steps=1)

    trainer.fit(vae, datamodule=Squares())

    logged = {name: value.item() for name, value in trainer.callback_metrics.items()}
    nelbo, rate, distortion = (logged[f"train/{name}"] for name in ("nelbo", "rate", "distortion"))
    assert nelbo == pytest.approx(rate + distortion)
    assert logged["train/loss"] == pytest.approx((distortion + rate / 6) / 16)
    assert logged["train/bits_per_dim"] == pytest.approx(nelbo / 16 / torch.tensor(2.0).log().item())


def test_two_runs_of_one_seed_are_the_same_bit_for_bit_and_another_seed_is_another(make_trainer, lines):
    def run(seed):
        vae = text_vae(lines)
        torch.manual_seed(seed)
        make_trainer(max_steps=8, limit_val_batches=0).fit(vae, datamodule=lines)
        return weights(vae)

    first, again, other = run(1), run(1), run(2)

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_ranks_steps_and_batches_draw_different_noise(monkeypatch, make_trainer):
    vae, batch = squares_vae(), Squares().dataset("train").__getitems__([0, 1, 2, 3])
    make_trainer(max_steps=1, limit_val_batches=0).fit(vae, datamodule=Squares())
    place = {"global_rank": 0, "global_step": 0}
    for name in place:
        monkeypatch.setattr(LitVAE, name, property(lambda self, name=name: place[name]))
    monkeypatch.setattr(vae, "log", lambda *args, **kwargs: None)
    monkeypatch.setattr(vae, "log_dict", lambda *args, **kwargs: None)

    def loss(number, **changes):
        place.update({"global_rank": 0, "global_step": 50} | changes)
        return vae.training_step(batch, number)["loss"].item()

    losses = [loss(0), loss(1), loss(0, global_rank=1), loss(0, global_step=51), loss(1, global_rank=1)]

    assert len(set(losses)) == 5
    assert loss(0) == losses[0]


def test_dropout_and_the_latents_of_a_batch_draw_from_unrelated_streams(monkeypatch, make_trainer):
    vae, batch = squares_vae(), Squares().dataset("train").__getitems__([0, 1, 2, 3])
    drawn = []

    def draw(batch, choose, noise):
        drawn.append([torch.rand(5000), noise.uniform([5000])])
        raise InterruptedError

    make_trainer(max_steps=1, limit_val_batches=0).fit(vae, datamodule=Squares())
    monkeypatch.setattr(vae, "forward", draw)
    with pytest.raises(InterruptedError):
        vae.training_step(batch, 0)

    ((dropped, noise),) = drawn
    shifted = [torch.stack([dropped[lag:], noise[: 5000 - lag]]) for lag in range(32)]
    assert max(torch.corrcoef(pair)[0, 1].abs() for pair in shifted) < 0.1


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_other_precisions_train_and_the_bound_is_in_single_or_better(make_trainer, precision):
    vae, seen = squares_vae(), []
    vae.objective.register_forward_hook(lambda module, args, terms: seen.append(terms))
    trainer = make_trainer(max_steps=2, precision=precision)

    trainer.fit(vae, datamodule=Squares())

    single = torch.float64 if precision == "64-true" else torch.float32
    assert {terms.distortion.dtype for terms in seen} == {terms.kls.dtype for terms in seen} == {single}
    assert all(terms.nelbo.isfinite().all() for terms in seen)


def test_a_few_batches_can_be_overfitted_to(make_trainer):
    seen = []
    vae = squares_vae()
    vae.register_forward_pre_hook(lambda module, args: seen.append(args[0].index.tolist()) if module.training else None)

    make_trainer(max_epochs=3, overfit_batches=2).fit(vae, datamodule=Squares())

    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7]] * 3


def test_a_schedule_steps_with_the_optimizer(make_trainer):
    rates = []

    def halving(optimizer):
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
        rates.append(schedule)
        return schedule

    vae = squares_vae(optimizer=partial(torch.optim.SGD, lr=1.0), scheduler=halving)
    make_trainer(max_steps=3, limit_val_batches=0).fit(vae, datamodule=Squares())

    assert rates[0].get_last_lr() == [0.125]


def test_a_gradient_is_clipped_to_the_length_that_the_trainer_is_told(make_trainer):
    vae = squares_vae(optimizer=partial(torch.optim.SGD, lr=1.0))
    before = torch.nn.utils.parameters_to_vector(vae.parameters())

    make_trainer(max_steps=1, limit_val_batches=0, gradient_clip_val=1e-2).fit(vae, datamodule=Squares())

    moved = torch.nn.utils.parameters_to_vector(vae.parameters()) - before
    assert moved.norm().item() == pytest.approx(1e-2, rel=1e-3)


def test_a_plateau_of_the_validation_lowers_the_rate(make_trainer):
    """Too small a rate to matter: the first validation stays the best, the two after it halve the rate."""
    vae = squares_vae(
        optimizer=partial(torch.optim.SGD, lr=1e-6),
        scheduler=partial(ReduceLROnPlateau, monitor="val/nelbo", patience=0, factor=0.5),
    )
    trainer = make_trainer(max_epochs=3)

    trainer.fit(vae, datamodule=Squares())

    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.25e-6


def test_other_data_are_refused_before_training(make_trainer):
    with pytest.raises(ValueError, match=r"5 values in shape \[1, 4, 4\], the data 'squares' has 7.*change data"):
        make_trainer(max_steps=1).fit(squares_vae(), datamodule=Squares(levels=7))


class OtherSquares(Squares):
    """As many pictures of as many levels, one level brighter where there was none."""

    def read(self, split):
        return super().read(split).clamp(min=1)


def test_a_run_goes_on_with_its_own_data_alone(make_trainer, tmp_path):
    trainer = make_trainer(max_steps=2)
    trainer.fit(squares_vae(), datamodule=Squares())
    trainer.save_checkpoint(tmp_path / "squares.ckpt")

    def resume(data):
        make_trainer(max_steps=4).fit(
            squares_vae(), datamodule=data, ckpt_path=tmp_path / "squares.ckpt", weights_only=True
        )

    resume(Squares())
    with pytest.raises(
        ValueError, match=r"trained on 'squares' \(22 training and 22 validation.*is other data.*init_from"
    ):
        resume(OtherSquares())


def test_epochs_may_have_another_length_from_the_end_of_one_on(make_trainer, tmp_path):
    vae, trainer = squares_vae(), make_trainer(max_epochs=1)
    trainer.fit(vae, datamodule=Squares())
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    trainer = make_trainer(max_steps=7)
    trainer.fit(vae, datamodule=Squares())
    trainer.save_checkpoint(tmp_path / "within.ckpt")

    def resume(name, epochs=2, **settings):
        trainer = make_trainer(max_epochs=epochs)
        trainer.fit(vae, datamodule=Squares(**settings), ckpt_path=tmp_path / name, weights_only=True)
        return trainer.global_step

    assert resume("end.ckpt") == 10
    assert resume("end.ckpt", batch_size=2) == 5 + 11
    with pytest.raises(ValueError, match=r"within an epoch of 5 batches, those of this training have 11.*init_from"):
        resume("within.ckpt", 3, batch_size=2)
    make_trainer(max_epochs=1).fit(vae, datamodule=Squares(batch_size=2))  # anew


@pytest.fixture
def others(tmp_path):
    """Lines over as many characters, but others."""
    (tmp_path / "others.txt").write_text(LINES.replace("t", "d"), encoding="utf-8")
    return TextLinesDataModule(str(tmp_path / "others.txt"), Characters(), max_length=40)


def test_data_that_look_the_same_but_stand_for_something_else_are_refused(make_trainer, lines, others):
    vae = text_vae(lines)
    make_trainer(max_steps=1, limit_val_batches=0).fit(vae, datamodule=lines)

    assert others.num_values == lines.num_values
    with pytest.raises(ValueError, match=r"lines\.txt.*stand for something else.*others\.txt"):
        make_trainer().test(vae, datamodule=others, verbose=False)


def test_a_checkpoint_of_other_data_is_refused(make_trainer, lines, others, tmp_path):
    trainer = make_trainer(max_steps=1, limit_val_batches=0)
    trainer.fit(text_vae(lines), datamodule=lines)
    trainer.save_checkpoint(tmp_path / "lines.ckpt")

    with pytest.raises(ValueError, match=r"lines\.txt.*stand for something else.*others\.txt"):
        make_trainer().test(text_vae(others), datamodule=others, ckpt_path=tmp_path / "lines.ckpt", weights_only=True)


# ---- checkpoints ----


@pytest.fixture
def saved(trained, make_trainer, tmp_path):
    trainer = make_trainer()
    trainer.strategy.connect(trained)
    trainer.save_checkpoint(tmp_path / "squares.ckpt")
    return tmp_path / "squares.ckpt"


def test_a_model_built_in_python_comes_back_with_its_parts(trained, saved):
    torch.manual_seed(1)

    loaded = LitVAE.load_from_checkpoint(saved, **parts())

    assert torch.equal(weights(loaded), weights(trained))
    assert loaded.symbols.state() == trained.symbols.state()
    assert torch.equal(loaded.sample(3).images, trained.sample(3).images)


def test_a_model_built_in_python_says_which_parts_it_needs(saved):
    with pytest.raises(ValueError, match=r"built in Python: pass the same parts.*backbone=.*head=.*objective="):
        LitVAE.load_from_checkpoint(saved)


def test_a_checkpoint_holds_tensors_and_plain_values_alone(saved):
    checkpoint = torch.load(saved, weights_only=True)

    assert checkpoint["symbols"]["kind"] == "pixels"
    assert {name.partition(".")[0] for name in checkpoint["state_dict"]} == {"backbone", "head"}


def test_a_model_that_saw_no_data_says_so():
    with pytest.raises(ValueError, match="unknown until the model is fitted or loaded"):
        squares_vae().sample(1)


# ---- what a person sees ----


def test_a_sample_is_the_same_whatever_the_number_and_the_batches(trained):
    trained.double()  # in which no pixel is so near its next level that the rounding of another batch changes it
    few, many = trained.sample(3), trained.sample(10, batch_size=4)

    assert few.images.shape == (3, 1, 4, 4)
    assert torch.equal(few.images, many.images[:3])
    assert not torch.equal(trained.sample(3, seed=1).images, few.images)


def test_a_text_sample_is_the_same_whatever_the_number_and_the_batches(make_trainer, lines):
    vae = text_vae(lines)
    make_trainer(max_steps=1, limit_val_batches=0).fit(vae, datamodule=lines)
    vae.double()  # in which no two symbols are so near each other that the rounding of another batch swaps them

    few, many = vae.sample(3), vae.sample(7, batch_size=2)

    assert few.texts == many.texts[:3]
    assert len(set(many.texts)) > 1


def test_small_examples_are_drawn_many_at_a_time(make_trainer, lines, monkeypatch):
    vae, shapes = text_vae(lines), []
    make_trainer(max_steps=1, limit_val_batches=0).fit(vae, datamodule=lines)
    generate = vae.generate
    monkeypatch.setattr(vae, "generate", lambda shape, *rest: shapes.append(shape) or generate(shape, *rest))

    vae.sample(410)

    assert shapes == [[16384 // 40, 40], [1, 40]]


def test_temperatures_of_nought_leave_one_example(trained):
    trained.double()  # the four are rows of one batch, and so of other rounding
    cold = trained.sample(4, temperature=0.0, decoding=GREEDY)
    warm = trained.sample(4, temperature=0.0, decoding=Decoding())

    assert (cold.images == cold.images[:1]).all()
    assert not (warm.images == warm.images[:1]).all()


@pytest.mark.parametrize("temperature", [-0.5, float("nan")])
def test_a_temperature_of_the_head_below_nought_is_refused_with_its_flag(temperature):
    with pytest.raises(ValueError, match="--head_temperature"):
        Decoding(temperature)


def test_samples_follow_the_model():
    """The mean grey level of many samples is that of the distributions they were drawn from."""
    vae = squares_vae().eval()
    vae.learn(Squares().symbols)

    levels = vae.symbols.parse(vae.sample(2000)).double()

    distribution, _ = vae.generate([2000, 4, 4], FromPrior(), StreamNoise(0))
    expected = distribution.mean.double().mean(0)
    assert ((levels.mean(0) - expected).abs() < 5 * levels.std(0) / 2000**0.5).all()


def test_no_samples_are_refused(trained):
    with pytest.raises(ValueError, match="num"):
        trained.sample(0)


def test_a_reconstruction_is_decoded_greedily_at_the_mean_of_the_posterior(trained):
    batch = Squares().dataset("val").__getitems__([3, 1])
    trained.double()  # in which the rounding of another batch changes no level

    pairs = trained.reconstruct(batch)

    distribution, _ = trained(batch, posterior_mean, IndexedNoise(batch.index))
    assert torch.equal(pairs.images[0::2], trained.symbols.render(batch.x).images)
    greedy = distribution.draw(GREEDY, StreamNoise(0))
    assert torch.equal(pairs.images[1::2], trained.symbols.render(greedy).images)
    assert torch.equal(trained.reconstruct(batch[:1]).images, pairs.images[:2])


def test_texts_stand_beside_their_reconstructions(make_trainer, lines):
    vae = text_vae(lines)
    make_trainer(max_steps=1, limit_val_batches=0).fit(vae, datamodule=lines)
    dataset = lines.dataset("val")

    pairs = vae.reconstruct(dataset.__getitems__([0, 1]))

    assert pairs.texts == list(lines.texts["val"])[:2]
    assert len(pairs.counterparts) == 2


def test_nothing_to_encode_is_refused():
    with pytest.raises(ValueError, match="at least one example"):
        squares_vae().encode(Batch(torch.zeros(0, 1, 4, 4, dtype=torch.uint8), None, torch.arange(0)))


@pytest.mark.parametrize("training", [True, False])
def test_showing_leaves_the_model_in_its_mode(trained, training):
    trained.train(training)
    trained.head.eval()

    trained.sample(2)
    trained.reconstruct(Squares().dataset("val")[0])

    assert trained.training == trained.backbone.training == training
    assert not trained.head.training


# ---- resuming ----

TEXT_RUN = """
seed_everything: 3
model:
  backbone: {class_path: lit_vae.backbones.RecurrentVAE, init_args: {width: 4, hidden: 6, latent: 3}}
  head:
    class_path: lit_vae.heads.LSTMTokenHead
    init_args: {embed_width: 4, hidden: 6, word_dropout: 0.5, dropout_in: 0.2}
  objective:
    class_path: lit_vae.objectives.ELBO
    init_args:
      per: symbol
      kl_weight: {class_path: lit_vae.objectives.TargetKL, init_args: {nats: 2.0, integral: 0.01}}
  optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}
  scheduler: {class_path: torch.optim.lr_scheduler.StepLR, init_args: {step_size: 5, gamma: 0.7}}
data:
  class_path: lit_vae.data.TextLinesDataModule
  init_args: {root: ROOT, tokenizer: lit_vae.tokenizers.Characters, max_length: 40, batch_size: 8}
"""
PICTURE_RUN = """
seed_everything: 3
model:
  backbone: {class_path: lit_vae.backbones.ConvVAE, init_args: {width: 4, latent: 3, halvings: 1}}
  head: {class_path: lit_vae.heads.LogisticPixelHead, init_args: {components: 1}}
  objective: {class_path: lit_vae.objectives.ELBO, init_args: {per: symbol}}
  optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}
  regularizers:
    - {class_path: lit_vae.regularizers.Spectral, init_args: {weight: 0.1}}
    - {class_path: lit_vae.regularizers.BagOfWords, init_args: {hidden: 3}}
data: {class_path: lit_vae.data.ImageFolderDataModule, init_args: {root: ROOT, flip: true, batch_size: 4}}
"""
QUIET = [
    *("--trainer.logger", "false", "--trainer.enable_progress_bar", "false"),
    *("--trainer.accelerator", "cpu", "--trainer.devices", "1", "--examples.every_n_epochs", "0"),
]


@pytest.fixture
def command(tmp_path, make_trainer):
    """Runs a config of pictures or texts from the command line."""
    (tmp_path / "pictures").mkdir()
    pictures_in(tmp_path / "pictures")
    (tmp_path / "texts").write_text(LINES, encoding="utf-8")
    for name, config in {"pictures": PICTURE_RUN, "texts": TEXT_RUN}.items():
        (tmp_path / f"{name}.yaml").write_text(config.replace("ROOT", str(tmp_path / name)), encoding="utf-8")

    def run(verb, *words):
        return main([verb, *map(str, words), *QUIET])

    return run


def state_of(run_dir):
    """Weights, the optimizer's and the schedule's state, and the step."""
    checkpoint = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)
    return {name: checkpoint[name] for name in ("state_dict", "optimizer_states", "lr_schedulers", "global_step")}


def assert_same(one, other):
    """Fails unless two nested states hold the same, bit for bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for mine, others in zip(one, other, strict=True):
            assert_same(mine, others)
    else:
        assert one == other


THREE_EPOCHS = ["--trainer.max_steps", "18", "--trainer.max_epochs", "-1"]
STOPS = {
    "in the middle of an epoch": (["--trainer.max_steps", "9"], THREE_EPOCHS),
    "with the last step of an epoch": (["--trainer.max_steps", "12"], THREE_EPOCHS),
    "after two epochs": (["--trainer.max_epochs", "2"], THREE_EPOCHS),
    "after two epochs, for one more": (["--trainer.max_epochs", "2"], ["--trainer.max_epochs", "3"]),
}


@pytest.fixture(scope="module")
def ends():
    """Where the runs that nothing stopped ended."""
    return {}


@pytest.fixture
def end_of(command, tmp_path, ends):
    """Where a run of three epochs ends that nothing stops."""

    def run(name):
        if name not in ends:
            words = ["--config", tmp_path / f"{name}.yaml", "--run_dir", tmp_path / "whole"]
            assert command("fit", *words, *THREE_EPOCHS) == 0
            ends[name] = state_of(tmp_path / "whole")
        return ends[name]

    return run


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("name", ["pictures", "texts"])
def test_a_run_that_was_stopped_resumes_bit_for_bit(command, end_of, tmp_path, name, stop):
    until_then, until_the_end = STOPS[stop]

    assert command("fit", "--config", tmp_path / f"{name}.yaml", "--run_dir", tmp_path / "run", *until_then) == 0
    assert command("fit", "--ckpt_path", tmp_path / "run", *until_the_end) == 0

    assert_same(state_of(tmp_path / "run"), end_of(name))


def test_a_run_resumes_bit_for_bit_from_its_best_checkpoint(command, end_of, tmp_path):
    config, run_dir = tmp_path / "texts.yaml", tmp_path / "run"
    assert command("fit", "--config", config, "--run_dir", run_dir, "--trainer.max_steps", 15) == 0
    (best,) = (run_dir / "checkpoints").glob("best*.ckpt")

    assert command("fit", "--ckpt_path", best, *THREE_EPOCHS) == 0

    assert_same(state_of(run_dir), end_of("texts"))


def test_a_run_that_failed_in_the_middle_of_an_epoch_resumes_bit_for_bit(command, end_of, tmp_path, monkeypatch):
    step = LitVAE.training_step

    def failing(self, batch, batch_idx):
        if self.global_step == 8:
            raise RuntimeError("out of memory")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(LitVAE, "training_step", failing)
        words = ["--config", tmp_path / "pictures.yaml", "--run_dir", tmp_path / "run"]
        assert command("fit", *words, *THREE_EPOCHS) != 0
    assert state_of(tmp_path / "run")["global_step"] == 8
    assert command("fit", "--ckpt_path", tmp_path / "run", *THREE_EPOCHS) == 0

    assert_same(state_of(tmp_path / "run"), end_of("pictures"))
