"""sample and reconstruct: pictures for pictures, text files for texts."""

import pytest
from PIL import Image

from lit_vae import LitVAE


def size(path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.parametrize("verb", ["sample", "reconstruct"])
def test_pictures_become_one_picture(cli, finished, verb):
    answer = cli(verb, "--ckpt_path", "pictures", "--num", "9", "--out", "shown.png")

    assert (answer.status, answer.out, answer.err) == (0, "wrote shown.png\n", "")
    assert min(size("shown.png")) > 3 * 8


def test_texts_become_lines(cli, finished):
    cli("sample", "--ckpt_path", "texts", "--num", "5", "--temperature", "0.8")
    cli("reconstruct", "--ckpt_path", "texts", "--num", "3")

    assert len((finished / "samples.txt").read_text(encoding="utf-8").splitlines()) == 5
    lines = (finished / "reconstructions.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 6
    assert all(" times " in line for line in lines[::2])
    assert all(line.startswith("->") for line in lines[1::2])


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
        (["sample", "--ckpt_path", "texts", "--head_temperature", "-1"], "change --head_temperature"),
        (["sample", "--ckpt_path", "texts", "--number", "1"], "number is no key here; near misses: num"),
        (["sample"], "missing: --ckpt_path"),
        (["sample", "--ckpt_path", "pictures", "--out", "texts.txt/x.png"], "texts.txt: change --run_dir or --out"),
        (["reconstruct"], "missing: --ckpt_path"),
        (["reconstruct", "--ckpt_path", "texts", "--num", "11"], "--num is from 1 to the 10 examples of --split test"),
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
