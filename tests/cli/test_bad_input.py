"""Bad input: one clear message that names the key or flag, a failure, no traceback, and nothing overwritten."""

import gc
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vae import checkpoints

PICTURES = ["fit", "--config", "pictures.yaml"]
TEXTS = ["fit", "--config", "texts.yaml"]


def contents(folder):
    """Every file below a folder with its bytes, and every folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def refuses(cli):
    """Checks that a command line is answered by one line that says all of some words, and changes no file."""

    def check(words, *says):
        before = contents(cli.folder)

        answer = cli(*words)

        assert answer.status == 2
        assert answer.out == ""
        assert answer.err.startswith("error: ")
        assert answer.err.count("\n") == 1
        assert contents(cli.folder) == before
        for saying in says:
            assert saying in answer.err

    return check


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fti"], ["there is no verb 'fti'; near misses: fit"]),
        (["fit"], ["fit needs --config NAME_OR_FILE or --ckpt_path RUN"]),
        (["fit", "--config"], ["--config needs a value"]),
        (["fit", "--config", "picture.yml"], ["--config picture.yml: no such file"]),
        (
            [*PICTURES, "--trainer.max_epoch", "3"],
            ["trainer.max_epoch is no key here; near misses: trainer.max_epochs"],
        ),
        ([*PICTURES, "--trainer.max_epochs", "three"], ["trainer.max_epochs: expected int or null, got three"]),
        ([*PICTURES, "--trainer.max_epochs"], ["--trainer.max_epochs: expected one argument"]),
        ([*PICTURES, "--trainer.accelerator", "gpus"], ["accelerator='gpus'"]),
        ([*PICTURES, "--model.hed", "x"], ["model.hed is no key here; near misses: model.head"]),
        ([*PICTURES, "--examples.nun", "3"], ["examples.nun is no key here; near misses: examples.num"]),
        ([*PICTURES, "--examples.num", "0"], ["of examples, every_n_epochs must be >= 0, num >= 1"]),
        ([*PICTURES, "--examples.temperature", "-1"], ["and temperature >= 0 and finite, got 1, 16 and -1.0"]),
        ([*PICTURES, "--last.minutes", "0"], ["last.minutes must be > 0, or null for none, got 0"]),
        ([*PICTURES, "--last.step", "5"], ["last.step is no key here; near misses: last.steps"]),
        (
            [*PICTURES, "--checkpoint.every_n_train_steps", "100"],
            ["there is no --checkpoint.every_n_train_steps any more", "trainer.val_check_interval", "last.steps"],
        ),
        ([*PICTURES, "--checkpoint.train_time_interval", "00:00:10:00"], ["set last.minutes"]),
        ([*PICTURES, "--checkpoint.save_last", "false"], ["set last.minutes or last.steps"]),
        ([*PICTURES, "stray"], ["'stray' belongs to no flag"]),
        ([*PICTURES, "--model.objective.per", "pixel"], ["per: expected one of 'symbol', 'example', got pixel"]),
        ([*PICTURES, "--model.optimizer.lr", "fast"], ["model.optimizer.init_args.lr: expected float", "got fast"]),
        ([*PICTURES, "--model.optimizer.lr", "-1e-3"], ["nvalid learning rate: -0.001"]),
        ([*PICTURES, "--model.head.components", "two"], ["model.head.init_args.components: expected int, got two"]),
        ([*PICTURES, "--model.backbone.width", "-4"], ["must be >= 1, got -4: change model.backbone.init_args.width"]),
        ([*PICTURES, "--data.batch_size", "0"], ["data.init_args.batch_size must be >= 1, got 0"]),
        ([*TEXTS, "--data.tokenizer.unknown", "x"], ["data.init_args.tokenizer.init_args.unknown: expected one of"]),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_a_word_of_the_command_line(refuses, words, says):
    refuses(words, *says)


STAGES = "lit_vae.callbacks.Stages"


@pytest.mark.parametrize(
    ("key", "given", "says"),
    [
        (
            "trainer__callbacks",
            [{"class_path": STAGES, "init_args": {"stages": [{"share": 0.2}, {"reset": "decodr"}]}}],
            "stages.init_args.reset: expected one of 'encoder', 'decoder' or null, got decodr",
        ),
        (
            "model__objective__init_args__free_bits",
            {"class_path": "lit_vae.objectives.FreeBits", "init_args": {"nats": 0.5, "group": "chanel"}},
            "group: expected one of 'total', 'layer', 'channel', 'dimension', got chanel",
        ),
        (
            "model__objective__init_args__kl_weight",
            {"class_path": "lit_vae.objectives.Linear", "init_args": {"steps": -5}},
            "of model.objective.init_args.kl_weight.init_args, steps must be >= 1",
        ),
    ],
    ids=["literal of a nested class", "literal in the place of null", "class in the place of a number"],
)
def test_an_argument_of_a_nested_class(cli, refuses, key, given, says):
    file = cli.config("pictures", **{key: given})

    refuses(["fit", "--config", file], says)


@pytest.mark.parametrize(
    ("key", "named", "says"),
    [
        ("model.head", "LogisticPixlHead", ["near misses: LogisticPixelHead"]),
        ("model.head", "lit_vae.heads.LogisticPixlHead", ["lit_vae.heads has no LogisticPixlHead; near misses"]),
        ("model.head", "lit_vae.haeds.LogisticPixelHead", ["can not be imported", "near misses: LogisticPixelHead"]),
        ("model.head", "lit_vae.data.DigitsDataModule", ["is no DecoderHead that can be made; known: Bernoulli"]),
        ("model.head", "lit_vae.heads.PixelHead", ["is no DecoderHead that can be made"]),
        ("model.backbone", "ConvVEA", ["near misses: ConvVAE"]),
        ("model.objective", "lit_vae.objectives.Elbo", ["near misses: ELBO"]),
        ("model.optimizer", "torch.optim.Adm", ["torch.optim has no Adm; near misses: Adam"]),
        ("data", "DigitDataModule", ["near misses: DigitsDataModule"]),
        ("trainer.logger", "lightning.pytorch.loggers.TensorBordLogger", ["near misses: TensorBoardLogger"]),
        ("trainer.callbacks", "lightning.pytorch.callbacks.EarlyStoping", ["near misses: EarlyStopping"]),
    ],
)
def test_an_unknown_class(cli, refuses, key, named, says):
    part = {"class_path": named}
    file = cli.config("pictures", **{key.replace(".", "__"): [part] if key == "trainer.callbacks" else part})

    refuses([*PICTURES, f"--{key}", named], f"the command line: {key}.class_path {named}", *says)
    refuses(["fit", "--config", file], f"--config {file}: {key}.class_path {named}", *says)


@pytest.mark.parametrize(
    ("config", "key", "named", "miss"),
    [
        ("pictures", "model.objective.init_args.kl_weight", "Linaer", "Linear"),
        ("pictures", "model.objective.init_args.free_bits", "FreeBit", "FreeBits"),
        ("pictures", "model.objective.init_args.balance", "GammaBlance", "GammaBalance"),
        ("texts", "model.backbone.init_args.posterior", "BatchNormPosteror", "BatchNormPosterior"),
        ("texts", "data.init_args.tokenizer", "Wrods", "Words"),
    ],
)
def test_an_unknown_class_in_the_place_of_an_argument(cli, refuses, config, key, named, miss):
    said = [f"{key}.class_path {named} is unknown; near misses: {miss}", "known: "]
    start = ["fit", "--config", f"{config}.yaml"]

    refuses([*start, f"--{key.replace('init_args.', '')}", named], "the command line", *said)
    for value in (named, {"class_path": named}):
        file = cli.config(config, **{key.replace(".", "__"): value})
        refuses(["fit", "--config", file], f"--config {file}", *said)


def test_an_unknown_class_in_a_list(cli, refuses):
    said = "model.regularizers.class_path MDM is unknown; near misses: MMD"
    file = cli.config("pictures", model__regularizers=[{"class_path": "MDM"}])

    refuses([*PICTURES, "--model.regularizers", "[{class_path: MDM}]"], said)
    refuses(["fit", "--config", file], said)


def test_an_argument_of_another_kind_names_those_that_there_are(cli, refuses):
    free_bits = {"class_path": "lit_vae.objectives.Linear", "init_args": {"steps": 3}}
    file = cli.config("pictures", model__objective__init_args__free_bits=free_bits)

    refuses(["fit", "--config", file], "free_bits.class_path lit_vae.objectives.Linear is no FreeBits", "FreeBits")


@pytest.mark.parametrize("key", ["model.optimizer", "model.scheduler", "trainer.callbacks"])
def test_a_class_of_another_kind(refuses, key):
    refuses([*PICTURES, f"--{key}", "torch.nn.Linear"], f"{key}: expected a", "got torch.nn.Linear")


@pytest.mark.parametrize(
    ("config", "key", "says"),
    [
        ("pictures", "model.head.init_args.componets", ["LogisticPixelHead takes no", "near misses: components"]),
        ("pictures", "model.optimizer.init_args.weight_decy", ["Adam takes no", "near misses: weight_decay"]),
        ("pictures", "data.init_args.root", ["DigitsDataModule takes no", "it takes batch_size"]),
        ("texts", "data.init_args.rot", ["TextLinesDataModule takes no", "near misses: root"]),
        ("texts", "data.init_args.tokenizer.init_args.unknow", ["Characters takes no", "near misses: unknown"]),
    ],
)
def test_an_unknown_argument(cli, refuses, config, key, says):
    file = cli.config(config, **{key.replace(".", "__"): 3})
    short = key.replace("init_args.", "")

    refuses(["fit", "--config", f"{config}.yaml", f"--{short}", "3"], "the command line", key, *says)
    refuses(["fit", "--config", f"{config}.yaml", f"--{key}", "3"], "the command line", key, *says)
    refuses(["fit", "--config", file], f"--config {file}", key, *says)


@pytest.mark.parametrize(
    ("key", "filled_by"),
    [
        ("model.head.init_args.width", "model.backbone.init_args.width fills it"),
        ("model.head.init_args.num_values", "the data fills it"),
        ("model.head.init_args.shape", "the data fills it"),
        ("model.backbone.init_args.embed_width", "the head fills it"),
        ("model.backbone.init_args.shape", "the head fills it"),
    ],
)
def test_a_linked_argument(cli, refuses, key, filled_by):
    file = cli.config("pictures", **{key.replace(".", "__"): 3})

    refuses(["fit", "--config", file], f"{key} is linked: {filled_by}; leave it out")
    refuses([*PICTURES, f"--{key.replace('init_args.', '')}", "3"], f"{key} is linked: {filled_by}; leave it out")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty or no mapping"),
        (b"- a\n- b\n", "is empty or no mapping"),
        (b"model: {head: [", "is not valid YAML"),
        (b"\xff\xfe\x00", "is not valid YAML"),
        (b"modle: {head: 3}", "modle"),
        (b"trainer: 3", "--config wrong.yaml: under trainer belong keys and values, got 3"),
        (b"model: {head: {init_args: 3}}", "under model.head.init_args belong keys and values, got 3"),
        (b"model: {head: 3}", "model.head: expected a DecoderHead, got 3"),
        (b"data: 3", "data: expected a SymbolDataModule, got 3"),
        (b"data: {class_path: lit_vae.data.TextLinesDataModule, init_args: {root: x}}", "missing: --data.init_args.to"),
        (b"trainer: {max_epoch: 3}", "trainer.max_epoch is no key here; near misses: trainer.max_epochs"),
    ],
)
def test_a_config_that_is_none(cli, refuses, content, says):
    (cli.folder / "wrong.yaml").write_bytes(content)

    refuses([*PICTURES, "--config", "wrong.yaml"], says)


def test_a_config_without_a_model(cli, refuses):
    (cli.folder / "part.yaml").write_text("trainer: {max_epochs: 1}")

    refuses(["fit", "--config", "part.yaml"], "missing: --model.backbone, --model.head, --model.objective, --data")


# ---- data ----


@pytest.fixture
def folder(cli):
    """A folder of twenty pictures, and the words that train on it."""
    (cli.folder / "album").mkdir()
    for number in range(20):
        picture = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(picture).save(cli.folder / "album" / f"{number}.png")
    data = {"class_path": "lit_vae.data.ImageFolderDataModule", "init_args": {"root": "album", "batch_size": 4}}
    return cli.folder / "album", ["fit", "--config", cli.config("pictures", data=data)]


def test_good_pictures_train(cli, folder):
    assert cli(*folder[1]).status == 0


def test_a_missing_data_directory(refuses, folder):
    refuses([*folder[1], "--data.root", "albun"], "albun", "there is album", "data.init_args.root (--data.root)")
    refuses([*TEXTS, "--data.root", "text.txt"], "no file or folder text.txt", "texts.txt", "(--data.root)")


def test_an_empty_data_directory(cli, refuses, folder):
    (cli.folder / "empty").mkdir()

    refuses([*folder[1], "--data.root", "empty"], "no pictures in", "empty", "data.init_args.root (--data.root)")
    refuses([*TEXTS, "--data.root", "empty"], "no .txt file in", "data.init_args.root (--data.root)")


def test_a_corrupt_picture_is_named_and_skipped_only_if_asked(cli, refuses, folder):
    album, words = folder
    whole = (album / "3.png").read_bytes()
    (album / "3.png").write_bytes(whole[: len(whole) // 2])

    refuses(words, "3.png cannot be read as a picture", "data.init_args.skip_corrupt")
    with pytest.warns(UserWarning, match=r"skipped 1 of .* pictures that cannot be read: 3\.png"):
        assert cli(*words, "--data.skip_corrupt", "true").status == 0


def test_pictures_of_mixed_size(refuses, folder):
    album, words = folder
    Image.new("L", (8, 9)).save(album / "tall.png")

    refuses(words, "tall.png is 9 high and 8 wide", "data.init_args.size and data.init_args.fit")


def test_pictures_of_mixed_channels(refuses, folder):
    album, words = folder
    Image.new("RGB", (8, 8)).save(album / "colour.png")

    refuses(words, "colour.png has 3 channels", "set data.init_args.mode to grey or rgb")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n \n\t\n", "has only empty lines"),
        (b"one\ntwo\nna\xefve\n", "is not UTF-8: byte 0xef at offset 10, line 3"),
    ],
)
def test_a_text_file_without_text(cli, refuses, content, says):
    (cli.folder / "odd.txt").write_bytes(content)

    refuses([*TEXTS, "--data.root", "odd.txt"], "odd.txt", says, "data.init_args.root (--data.root)")


def test_a_token_outside_the_vocabulary(cli, refuses):
    (cli.folder / "split").mkdir()
    for name, text in {"train": "abba\nbaab", "val": "abc", "test": "ab"}.items():
        (cli.folder / "split" / f"{name}.txt").write_text(text)
    strict = ["--data.root", "split", "--data.tokenizer.unknown", "error"]

    refuses([*TEXTS, *strict], "'c'", "data.init_args.tokenizer.init_args.unknown")


def test_a_text_that_is_too_long(refuses):
    refuses([*TEXTS, "--data.max_length", "5"], "data.init_args.max_length", "data.init_args.too_long")


# ---- parts that do not fit ----


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([*PICTURES, "--model.head", "BernoulliPixelHead"], ["exact for 2 grey levels, but the data has 17"]),
        ([*PICTURES, "--model.head", "SoftmaxTokenHead"], ["SoftmaxTokenHead writes text", "change model.head"]),
        ([*PICTURES, "--model.backbone", "RecurrentVAE"], ["RecurrentVAE reads text", "change model.backbone"]),
        ([*TEXTS, "--model.head", "LogisticPixelHead"], ["LogisticPixelHead draws pictures", "change model.head"]),
        ([*TEXTS, "--model.backbone", "ConvVAE"], ["ConvVAE reads pictures", "change model.backbone"]),
    ],
    ids=lambda value: " ".join(value[1:]),
)
def test_parts_that_do_not_fit(refuses, words, says):
    refuses(words, *says)


def test_a_head_of_two_values_on_256_grey_levels(cli, refuses, folder):
    refuses([*folder[1], "--model.head", "BernoulliPixelHead"], "the data has 256", "change model.head")


# ---- checkpoints ----


def altered(source, target, **changes):
    """A copy of a checkpoint with other entries; None leaves one out."""
    checkpoint = {**torch.load(source, weights_only=True), **changes}
    torch.save({key: value for key, value in checkpoint.items() if value is not None}, target)


@pytest.mark.parametrize("words", [["fit"], ["test"], ["validate"], ["sample"], ["reconstruct"]], ids=lambda w: w[0])
def test_a_file_that_is_no_checkpoint(cli, refuses, finished, words):
    best = checkpoints.find("pictures", "best")
    (cli.folder / "cut.ckpt").write_bytes(best.read_bytes()[:5000])
    torch.save({"weights": torch.zeros(2)}, cli.folder / "other.ckpt")
    altered(best, cli.folder / "future.ckpt", lit_vae_format=2)
    altered(best, cli.folder / "foreign.ckpt", lit_vae_format=None)

    refuses([*words, "--ckpt_path", "nowhere"], "--ckpt_path nowhere is neither a checkpoint nor a run directory")
    refuses([*words, "--ckpt_path", "."], "--ckpt_path . holds no checkpoint")
    refuses([*words, "--ckpt_path", "texts.txt"], "--ckpt_path texts.txt is no checkpoint, or is damaged")
    refuses([*words, "--ckpt_path", "cut.ckpt"], "--ckpt_path cut.ckpt is no checkpoint, or is damaged")
    refuses([*words, "--ckpt_path", "other.ckpt"], "--ckpt_path other.ckpt is no checkpoint of a lit_vae run")
    refuses([*words, "--ckpt_path", "future.ckpt"], "--ckpt_path future.ckpt: this version", "format 1, this one has 2")
    refuses([*words, "--ckpt_path", "foreign.ckpt"], "this one has none: another program wrote it")


@pytest.mark.parametrize("words", [["fit"], ["test"], ["reconstruct"]], ids=lambda w: w[0])
def test_a_checkpoint_of_a_model_that_was_built_in_python(cli, refuses, finished, words):
    altered(checkpoints.find("pictures", "best"), cli.folder / "built.ckpt", config=None)

    refuses([*words, "--ckpt_path", "built.ckpt"], "--ckpt_path built.ckpt was built in Python")


@pytest.mark.parametrize(
    "words", [["fit"], ["test"], ["sample"], ["decode", "--latents", "x.pt"], ["encode"]], ids=lambda words: words[0]
)
def test_a_checkpoint_with_settings_of_another_version(cli, refuses, finished, words):
    best = checkpoints.find("pictures", "best")
    altered(
        best, cli.folder / "old.ckpt", config=checkpoints.config(best).replace("components:", "old: 3\n      comps:")
    )

    refuses(
        [*words, "--ckpt_path", "old.ckpt"], "--ckpt_path old.ckpt: LogisticPixelHead takes no model.head.init_args."
    )


def test_the_data_of_another_model(refuses, finished):
    refuses(["test", "--ckpt_path", "pictures", "--data", "MNISTDataModule", "--data.root", "."], "MNIST/raw")


# ---- where to write ----


def test_a_run_directory_that_exists(refuses, finished):
    refuses(
        [*PICTURES, "--run_dir", "texts"], "--run_dir texts holds a run", "fit --ckpt_path texts", "nothing was changed"
    )


def test_a_run_directory_beside_a_resumed_run(refuses, finished):
    refuses(["fit", "--ckpt_path", "texts", "--run_dir", "new"], "--run_dir new", "leave it out")


def test_a_run_directory_that_cannot_be_made(refuses):
    refuses([*PICTURES, "--run_dir", "texts.txt/run"], "--run_dir texts.txt/run can not be made: Not a directory")


@pytest.fixture
def small_disk(cli):
    """A disk of 300 kB: room for one tiny run, and not for what follows."""
    disk = cli.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small disk")
    yield disk
    gc.collect()  # a checkpoint that was resumed is mapped from there
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_room_leaves_checkpoints_whole(cli, small_disk):
    cli(*PICTURES, "--run_dir", "disk/run")
    before = contents(small_disk / "run" / "checkpoints")
    (small_disk / "filler").write_bytes(bytes(40_000))

    answer = cli("fit", "--ckpt_path", "disk/run", "--trainer.max_epochs", "2", "--examples.every_n_epochs", "0")

    assert answer.status == 2
    assert answer.err.startswith("error: No space left on device: disk/run/checkpoints/last.ckpt: free some room, or")
    assert answer.err.count("\n") == 1
    assert contents(small_disk / "run" / "checkpoints") == before


def test_a_disk_without_room_leaves_a_picture_as_it_was(cli, small_disk, finished):
    picture = small_disk / "samples.png"
    picture.write_bytes(b"kept")
    (small_disk / "filler").write_bytes(bytes(290_000))

    answer = cli("sample", "--ckpt_path", "pictures", "--num", "400", "--out", "disk/samples.png", "--overwrite")

    assert answer.err == (
        "error: No space left on device: disk/samples.png: free some room, or change --run_dir or --out\n"
    )
    assert answer.status == 2
    assert picture.read_bytes() == b"kept"
    assert len(list(small_disk.iterdir())) == 2


# ---- what an error looks like ----


def test_a_traceback_is_shown_if_asked(cli):
    answer = cli(*TEXTS, "--data.root", "nowhere", "--traceback")

    assert answer.status == 2
    assert "Traceback (most recent call last)" in answer.err
    assert answer.err.rstrip().splitlines()[-1].startswith("error: no file or folder nowhere")


def test_an_error_of_the_program_itself_says_its_kind_and_how_to_see_where(cli, monkeypatch):
    def broken(*args):
        raise KeyError("internal")

    monkeypatch.setattr(checkpoints, "find", broken)

    assert cli("test", "--ckpt_path", "x").err == "error: KeyError: 'internal' (--traceback shows where)\n"


def test_an_interruption_before_training_is_no_traceback(cli, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "find", interrupted)

    answer = cli("test", "--ckpt_path", "x")

    assert (answer.status, answer.err) == (130, "interrupted\n")


def test_a_reason_is_told_however_deep_the_class_is_nested(cli, refuses):
    objective = {"class_path": "lit_vae.objectives.ELBO", "init_args": {"per": "symbol", "kl_weight": -1.0}}
    stages = [{"share": 0.5, "objective": objective}, {}]
    callback = {"class_path": "lit_vae.callbacks.Stages", "init_args": {"stages": stages}}
    file = cli.config("pictures", trainer__callbacks=[callback])

    refuses(["fit", "--config", file], "kl_weight", "got -1.0")
