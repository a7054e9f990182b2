"""sample and reconstruct: pictures for pictures, lines on the screen or in a file for texts."""

import json

import pytest
from PIL import Image

from lit_vae import LitVAE


def size(path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.parametrize("verb", ["sample", "reconstruct"])
def test_pictures_become_one_picture(cli, finished, verb):
    answer = cli(verb, "--ckpt_path", "pictures", "--num", "9", "--out", "shown.png")

    portion = "test split: 180 of 1797 pictures of digits; the first 9 are taken (--num)\n"
    said = portion if verb == "reconstruct" else ""
    assert (answer.status, answer.out, answer.err) == (0, "wrote shown.png\n", said)
    assert min(size("shown.png")) > 3 * 8


def test_texts_are_printed(cli, finished):
    before = sorted(finished.rglob("*"))

    samples = cli("sample", "--ckpt_path", "texts", "--num", "5", "--temperature", "0.8")
    pairs = cli("reconstruct", "--ckpt_path", "texts", "--num", "3").out.splitlines()

    assert (samples.status, len(samples.out.splitlines()), samples.err) == (0, 5, "")
    assert len(pairs) == 6
    assert all(" times " in line for line in pairs[::2])
    assert all(line.startswith("->") for line in pairs[1::2])
    assert sorted(finished.rglob("*")) == before


@pytest.mark.parametrize("verb", ["sample", "reconstruct"])
def test_texts_go_to_a_file_where_one_is_named(cli, finished, verb):
    printed = cli(verb, "--ckpt_path", "texts", "--num", "3").out

    answer = cli(verb, "--ckpt_path", "texts", "--num", "3", "--out", "shown.txt")

    assert answer.out == "wrote shown.txt\n"
    assert (finished / "shown.txt").read_text(encoding="utf-8") == printed


def test_a_machine_reads_one_object(cli, finished):
    lines = cli("sample", "--ckpt_path", "texts", "--num", "2").out.splitlines()

    texts, pairs, pictures = (
        json.loads(cli(verb, "--ckpt_path", name, "--num", "2", "--json").out)
        for verb, name in [("sample", "texts"), ("reconstruct", "texts"), ("sample", "pictures")]
    )

    assert texts == {"file": None, "examples": [{"text": line} for line in lines]}
    assert [set(example) for example in pairs["examples"]] == [{"original", "reconstruction"}] * 2
    assert pictures == {"file": "samples.png", "examples": [{"row": 0, "column": 0}, {"row": 0, "column": 1}]}


def test_a_temperature_may_be_a_layers_own(cli, finished):
    def sample(temperature):
        words = ["sample", "--ckpt_path", "pictures", "--num", "4", "--temperature", temperature, "--overwrite"]
        assert cli(*words).status == 0
        return (finished / "samples.png").read_bytes()

    assert sample("{z: 0.5}") == sample("0.5") != sample("{z: 1.5}")


def test_a_reconstruction_may_take_a_part_of_the_latent_variables(cli, finished):
    def reconstruct(*words):
        words = ["--num", "6", "--temperature", "50", "--overwrite", *words]
        assert cli("reconstruct", "--ckpt_path", "pictures", *words).status == 0
        return (finished / "reconstructions.png").read_bytes()

    whole, nothing, half = reconstruct(), reconstruct("--layers", "0"), reconstruct("--keep", "0.5")

    assert reconstruct("--layers", "1", "--keep", "1.0") == whole
    assert len({whole, nothing, half, reconstruct("--layers", "0", "--seed", "1")}) == 4


def test_texts_are_sampled_when_the_data_is_gone(cli, finished):
    (finished / "texts.txt").unlink()

    assert cli("sample", "--ckpt_path", "texts", "--num", "2").status == 0
    assert "--data.root" in cli("reconstruct", "--ckpt_path", "texts").err


def test_three_lines_of_python_show_the_same(cli, finished):
    cli("sample", "--ckpt_path", "texts", "--num", "4", "--out", "shown.txt")

    vae = LitVAE.load_from_checkpoint(finished / "texts")
    samples = vae.sample(4)

    assert samples.lines() == (finished / "shown.txt").read_text(encoding="utf-8").splitlines()


def test_a_seed_repeats_its_samples_and_another_does_not(cli, finished):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        cli("sample", "--ckpt_path", "pictures", "--num", "4", "--seed", seed, "--out", f"{name}.png")

    a, b, c = ((finished / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_examples_whose_symbols_mean_something_else_are_refused(cli, finished):
    (finished / "mine.txt").write_text("".join(f"{n} times {n} is {n * n}.\n" for n in range(30)))

    answer = cli("reconstruct", "--ckpt_path", "texts", "--data.root", "mine.txt", "--split", "train", "--num", "2")

    assert answer.status == 2
    assert "trained on 'texts.txt'" in answer.err
    assert "stand for something else than those of" in answer.err
    assert "change data" in answer.err


def test_examples_over_another_number_of_symbols_are_refused_in_the_same_words(cli, finished):
    (finished / "mine.txt").write_text("".join(f"{n} and {n}\n" for n in range(30)))

    answer = cli("reconstruct", "--ckpt_path", "texts", "--data.root", "mine.txt", "--num", "1")

    assert "trained on 'texts.txt'" in answer.err
    assert "lit_vae.tokenizers.OfRun" in answer.err


def test_the_split_is_chosen(cli, finished):
    for split in ("train", "test"):
        cli("reconstruct", "--ckpt_path", "texts", "--split", split, "--num", "1", "--out", f"{split}.txt")

    assert (finished / "train.txt").read_text() != (finished / "test.txt").read_text()


def test_a_folder_on_the_way_is_made(cli, finished):
    cli("sample", "--ckpt_path", "pictures", "--num", "1", "--out", "new/folder/shown.png")

    assert size("new/folder/shown.png")


@pytest.mark.parametrize("verb", ["sample", "reconstruct"])
def test_an_existing_file_is_replaced_only_if_asked(cli, finished, verb):
    (finished / "kept.png").write_bytes(b"kept")
    words = [verb, "--ckpt_path", "pictures", "--num", "1", "--out", "kept.png"]

    refused = cli(*words)

    assert refused.status == 2
    assert "--out kept.png exists: choose another, or say --overwrite; nothing was changed" in refused.err
    assert (finished / "kept.png").read_bytes() == b"kept"
    assert cli(*words, "--overwrite").status == 0
    assert size("kept.png")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["sample", "--ckpt_path", "pictures", "--out", "shown.txt"], "--out shown.txt: this model writes .png files"),
        (["sample", "--ckpt_path", "texts", "--out", "shown.png"], "--out shown.png: this model writes .txt files"),
        (["sample", "--ckpt_path", "texts", "--out", "shown"], "--out shown: this model writes .txt files"),
        (["sample", "--ckpt_path", "texts", "--num", "0"], "--num counts up from 1, got 0"),
        (["sample", "--ckpt_path", "texts", "--num", "few"], "num: expected int, got few"),
        (["sample", "--ckpt_path", "texts", "--temperature", "-1"], "change --temperature"),
        (["sample", "--ckpt_path", "texts", "--temperature", "{y: 1}"], "--temperature names 'y', but"),
        (["sample", "--ckpt_path", "texts", "--top_k", "0"], "change --top_k"),
        (["sample", "--ckpt_path", "pictures", "--top_k", "2"], "pictures take --head_temperature alone"),
        (["reconstruct", "--ckpt_path", "pictures", "--layers", "2"], "--layers is from 0 to the 1 latent layers"),
        (["reconstruct", "--ckpt_path", "pictures", "--keep", "3"], "--keep is the part of the latent variables"),
        (["sample", "--ckpt_path", "texts", "--head_temperature", "-1"], "change --head_temperature"),
        (["sample", "--ckpt_path", "texts", "--number", "1"], "number is no key here; near misses: num"),
        (["sample"], "missing: --ckpt_path"),
        (["sample", "--ckpt_path", "pictures", "--out", "texts.txt/x.png"], "texts.txt: change --run_dir or --out"),
        (["reconstruct"], "missing: --ckpt_path"),
        (
            ["reconstruct", "--ckpt_path", "texts", "--num", "11"],
            "--num must be from 1 to the 10 examples of --split test",
        ),
        (["reconstruct", "--ckpt_path", "texts", "--split", "dev"], "split: expected one of 'train', 'val', 'test'"),
        (["reconstruct", "--ckpt_path", "texts", "--data.rot", "x"], "data.init_args.rot; near misses: root"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_shown_is_refused(cli, finished, words, reason):
    before = sorted(finished.rglob("*"))

    answer = cli(*words)

    assert answer.status == 2
    assert reason in answer.err
    assert sorted(finished.rglob("*")) == before
