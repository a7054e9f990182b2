"""encode and decode: latents to a file, and back to pictures and texts."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch

from lit_vae.latent_stack import LatentStack


@pytest.fixture
def encoded(cli, finished):
    """The folder of finished runs, and of latents of both."""
    for name in ("pictures", "texts"):
        words = ["encode", "--ckpt_path", name, "--num", "5", "--out", f"{name}.pt"]
        assert cli(*words).status == 0
    return finished


@pytest.mark.parametrize("name", ["pictures", "texts"])
def test_latents_are_written_and_their_size_is_printed(cli, finished, name):
    answer = cli("encode", "--ckpt_path", name, "--num", "5")

    stack = LatentStack.load(finished / "latents.pt")
    assert (answer.status, len(stack)) == (0, 5)
    assert re.fullmatch(r"test split: \d+ of \d+ (pictures|texts) of \S+; the first 5 are taken .--num.\n", answer.err)
    head, layer, total, last = answer.out.splitlines()
    assert head.split() == ["layer", "variables", "nats", "bits"]
    assert layer.split() == ["z", "2", f"{stack.nats.mean():.3f}", f"{stack.bits.mean():.3f}"]
    assert total.split()[0] == "total"
    assert last.startswith("wrote latents.pt: 5 examples; decode them with: ")


def test_a_machine_reads_the_sizes(cli, finished):
    report = json.loads(cli("encode", "--ckpt_path", "texts", "--num", "3", "--json").out)

    assert (report["file"], report["examples"]) == ("latents.pt", 3)
    assert [layer["layer"] for layer in report["layers"]] == ["z", "total"]


def test_the_printed_size_is_the_rate_of_a_test_on_the_same_examples(cli):
    hierarchy = {"class_path": "lit_vae.backbones.LadderVAE", "init_args": {"width": 8, "latent": 2, "blocks": [1, 1]}}
    assert cli("fit", "--config", cli.config("pictures", model__backbone=hierarchy), "--run_dir", "ladder").status == 0
    checkpoint = torch.load(next((cli.folder / "ladder" / "checkpoints").glob("best*")), weights_only=True)
    for name, weight in checkpoint["state_dict"].items():
        if name.startswith("backbone."):
            weight.add_(0.1 * torch.randn_like(weight))
    torch.save(checkpoint, "loud.ckpt")

    tested = cli("test", "--ckpt_path", "loud.ckpt").out
    reports = [
        json.loads(cli("encode", "--ckpt_path", "loud.ckpt", "--num", 180, "--out", f"{z}.pt", "--z", z, "--json").out)
        for z in ("mean", "sample")
    ]

    rate = float(re.search(r"test/rate .*?([\d.]+)", tested)[1])
    assert 1 < rate < 1000
    for report in reports:
        assert report["layers"][-1]["nats"] == pytest.approx(rate, rel=1e-5)


def test_latents_decode_to_the_reconstructions(cli, encoded):
    pairs = cli("reconstruct", "--ckpt_path", "texts", "--num", "5", "--json").out

    texts = cli("decode", "--ckpt_path", "texts", "--latents", "texts.pt", "--json").out

    shown = [example["text"] for example in json.loads(texts)["examples"]]
    assert shown == [example["reconstruction"] for example in json.loads(pairs)["examples"]]


def test_pictures_decode_to_a_grid_all_or_a_part_of_their_variables(cli, encoded):
    def decode(*words):
        words = ["--latents", "pictures.pt", "--temperature", "50", "--overwrite", *words]
        answer = cli("decode", "--ckpt_path", "pictures", *words)
        assert (answer.status, answer.out) == (0, "wrote decoded.png\n")
        return (encoded / "decoded.png").read_bytes()

    whole, half, nothing = decode(), decode("--keep", "0.5"), decode("--layers", "0")

    assert len({whole, half, nothing}) == 3
    assert decode("--layers", "0", "--keep", "1.0") == nothing
    assert decode("--layers", "1", "--keep", "1.0") == whole


def test_a_sample_of_the_posterior_is_another_z_for_another_seed(cli, finished):
    def first(*words):
        assert cli("encode", "--ckpt_path", "pictures", "--num", "2", "--overwrite", *words).status == 0
        return LatentStack.load(finished / "latents.pt").layers[0].z.tolist()

    mean, sample = first(), first("--z", "sample")

    assert mean == first("--seed", "1")
    assert sample == first("--z", "sample", "--seed", "0") != first("--z", "sample", "--seed", "1")
    assert sample != mean


def test_only_the_top_layers_are_kept_if_asked(cli, finished):
    cli("encode", "--ckpt_path", "pictures", "--num", "2", "--layers", "0")

    assert LatentStack.load(finished / "latents.pt").layers == ()
    assert cli("decode", "--ckpt_path", "pictures", "--latents", "latents.pt", "--keep", "1.0").status == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["encode"], "missing: --ckpt_path"),
        (["encode", "--ckpt_path", "texts", "--out", "latents.txt"], "--out latents.txt: this model writes .pt files"),
        (["encode", "--ckpt_path", "texts", "--num", "0"], "--num must be from 1 to the 10 examples"),
        (["encode", "--ckpt_path", "texts", "--layers", "3"], "--layers is from 0 to the 1 latent layers"),
        (["encode", "--ckpt_path", "texts", "--out", "pictures.pt"], "--out pictures.pt exists"),
        (["decode", "--ckpt_path", "texts"], "missing: --latents"),
        (
            ["decode", "--ckpt_path", "texts", "--latents", "no.pt"],
            "--latents no.pt: No such file or directory; write one with: python",
        ),
        (
            ["decode", "--ckpt_path", "texts", "--latents", "texts"],
            "--latents texts: Is a directory; it must be a file that encode wrote",
        ),
        (["decode", "--ckpt_path", "texts", "--latents", "texts.txt"], "--latents texts.txt is no file of latents"),
        (["decode", "--ckpt_path", "texts", "--latents", "pictures.pt"], "these latents are another model's"),
        (["decode", "--ckpt_path", "texts", "--latents", "texts.pt", "--out", "x.png"], "this model writes .txt files"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_refused(cli, encoded, words, reason):
    before = sorted(encoded.rglob("*"))

    answer = cli(*words)

    assert answer.status == 2
    assert reason in answer.err
    assert sorted(encoded.rglob("*")) == before


def test_what_the_docs_do_in_python_works(cli, finished):
    (finished / "runs").mkdir()
    (finished / "pictures").rename(finished / "runs" / "digits")
    text = (Path(__file__).parents[2] / "docs" / "latents.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (commands,) = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)

    exec(block, {})

    assert {file.name for file in finished.glob("*.png")} == {"top.png", "walk.png", "few.png", "resampled.png"}
    (finished / "few.png").unlink()
    for command in commands.splitlines():
        answer = cli(*shlex.split(command.removeprefix("python -m lit_vae ")))
        portion = r"test split: 180 of 1797 pictures of digits(; the first \d+ are taken .--num.)?\n"
        largest = r"largest KL: layer \S+, variables [\d, ]+\n"
        said = {"decode": "", "traverse": portion + largest}.get(shlex.split(command)[3], portion)
        assert answer.status == 0
        assert re.fullmatch(said, answer.err)
