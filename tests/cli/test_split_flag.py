"""What an evaluation of other data looks at: said always, and all of it if asked."""

import re

import numpy as np
import pytest
from PIL import Image

from lit_vae.cli import main
from lit_vae.latent_stack import LatentStack

SIZE = ["--data.mode", "grey", "--data.size", "[8, 8]"]
OF_RUN = ["--data.tokenizer", "lit_vae.tokenizers.OfRun", "--data.tokenizer.run", "texts"]


def pictures_in(folder, count):
    folder.mkdir(parents=True)
    for number in range(count):
        levels = np.random.default_rng(number).integers(256, size=(8, 8), dtype=np.uint8)
        Image.fromarray(levels).save(folder / f"{number}.png")


@pytest.fixture
def other(cli, finished):
    """A folder with runs of pictures and texts, and five new ones of each: on their own, and in a lone test split."""
    config = cli.config("pictures", data={"class_path": "lit_vae.data.ImageFolderDataModule"})
    pictures_in(finished / "many", 30)
    words = ["--data.root", "many", "--data.flip", "true", "--run_dir", "folder", *SIZE]
    assert main(["fit", "--config", str(config), *words]) == 0
    pictures_in(finished / "five", 5)
    pictures_in(finished / "lone" / "test", 5)
    lines = "\n".join(f"{number} times 1 is {number}." for number in range(5))
    (finished / "five.txt").write_text(lines, encoding="utf-8")
    (finished / "lone.text").mkdir()
    (finished / "lone.text" / "test.txt").write_text(lines, encoding="utf-8")
    return finished


CASES = [
    ("folder", ["--data.root", "five"], "test split: 1 of 5 pictures of five", 1),
    ("folder", ["--data.root", "five", "--split", "all"], "all splits: 5 of 5 pictures of five", 5),
    ("folder", ["--data.root", "five", "--split", "train"], "train split: 3 of 5 pictures of five", 3),
    ("folder", ["--data.root", "lone"], "test split: 5 of 5 pictures of lone", 5),
    ("folder", ["--data.root", "lone", "--split", "all"], "all splits: 5 of 5 pictures of lone", 5),
    ("texts", ["--data.root", "five.txt", *OF_RUN], "test split: 1 of 5 texts of five.txt", 1),
    ("texts", ["--data.root", "five.txt", *OF_RUN, "--split", "all"], "all splits: 5 of 5 texts of five.txt", 5),
    ("texts", ["--data.root", "lone.text", *OF_RUN], "test split: 5 of 5 texts of lone.text", 5),
]


def test_every_verb_says_how_many_of_how_many_it_takes_and_takes_them(cli, other):
    for run, words, said, count in CASES:
        tested = cli("test", "--ckpt_path", run, *words)
        encoded = cli("encode", "--ckpt_path", run, *words, "--overwrite")
        shown = cli("reconstruct", "--ckpt_path", run, *words, "--overwrite")

        assert (tested.status, encoded.status, shown.status) == (0, 0, 0), (words, tested.err, encoded.err)
        assert said in tested.out.splitlines()
        assert re.search(rf"test/mutual_information_examples \D*{count}\b", tested.out), words
        assert encoded.err == shown.err == f"{said}\n"
        assert len(LatentStack.load("latents.pt")) == count


def test_the_first_examples_are_said_to_be_the_first(cli, other):
    words = ["--ckpt_path", "folder", "--data.root", "five", "--split", "all"]

    limited = cli("test", *words, "--limit", "2")
    few = cli("encode", *words, "--num", "2")

    assert "all splits: 5 of 5 pictures of five; the first 2 are taken (--limit)" in limited.out
    assert few.err == "all splits: 5 of 5 pictures of five; the first 2 are taken (--num)\n"


def test_walks_say_of_what_they_take_their_examples(cli, other):
    words = ["--ckpt_path", "folder", "--data.root", "five", "--split", "all"]

    walk = cli("interpolate", *words, "--pairs", "[0, 4]")
    change = cli("traverse", *words, "--example", "4", "--layer", "z", "--variables", "[0]")

    assert walk.err == change.err == "all splits: 5 of 5 pictures of five\n"
    assert "numbered from 0 to 4, got 5" in cli("traverse", *words, "--example", "5", "--layer", "z").err


def test_a_validation_says_what_it_is_done_on(cli, other):
    assert "val split: 3 of 30 pictures of many" in cli("validate", "--ckpt_path", "folder").out
    refused = cli("validate", "--ckpt_path", "folder", "--data.root", "lone")
    assert (refused.status, "has nothing for val, only for test" in refused.err) == (2, True)


def test_an_unknown_split_is_refused_by_every_verb(cli, finished):
    for verb in ("test", "encode", "reconstruct", "interpolate", "traverse"):
        answer = cli(verb, "--ckpt_path", "pictures", "--split", "dev")

        assert answer.status == 2
        assert "split: expected one of 'train', 'val', 'test', 'all', got dev" in answer.err
