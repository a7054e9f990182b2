"""A run goes on with its own data; a new one may begin with the weights of another."""

import pytest
import torch
from PIL import Image

from lit_vae import checkpoints

LR_0 = ["--model.optimizer.lr", "0.0"]
FOLDER = ["--data", "lit_vae.data.ImageFolderDataModule", "--data.mode", "grey", "--data.batch_size", "4"]


def weights(run, which="best"):
    state = torch.load(checkpoints.find(run, which), weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if name.startswith(("backbone.", "head."))}


def pictures(folder, level):
    """Thirty grey pictures in a folder, of one level and one more."""
    folder.mkdir()
    for number in range(30):
        Image.new("L", (8, 8), level + number % 2).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def easy(cli):
    """A run on dark pictures, and the flags that it was made with but for its data."""
    pictures(cli.folder / "dark", 0)
    flags = [*FOLDER, "--trainer.max_epochs", "1"]
    assert cli("fit", "--config", "pictures.yaml", *flags, "--data.root", "dark", "--run_dir", "easy").status == 0
    return cli.folder / "easy"


def test_a_run_does_not_go_on_with_other_data(cli, easy):
    pictures(cli.folder / "bright", 200)
    before = {path: path.read_bytes() for path in easy.rglob("*") if path.is_file()}

    answer = cli("fit", "--ckpt_path", "easy", "--data.root", "bright", "--trainer.max_epochs", "2")

    assert answer.status == 2
    assert answer.err.startswith("error: easy was trained on 'dark' (24 training and 3 validation examples)")
    assert answer.err.endswith("python -m lit_vae fit --init_from easy\n")
    assert {path: path.read_bytes() for path in easy.rglob("*") if path.is_file()} == before


def test_a_run_goes_on_with_its_data_wherever_they_are(cli, easy):
    (cli.folder / "dark").rename(cli.folder / "moved")

    assert cli("fit", "--ckpt_path", "easy", "--data.root", "moved", "--trainer.max_epochs", "2").status == 0


def test_a_new_run_begins_with_the_weights_of_another_on_other_data(cli, easy):
    pictures(cli.folder / "bright", 200)

    answer = cli("fit", "--init_from", "easy", "--data.root", "bright", "--run_dir", "new", *LR_0)

    assert answer.status == 0
    assert "weights: from easy/checkpoints/best-step=" in answer.out
    assert checkpoints.step(checkpoints.find("new", "last")) == checkpoints.step(checkpoints.find("easy", "last"))
    torch.testing.assert_close(weights("new"), weights("easy"), rtol=0, atol=0)
    tested = cli("test", "--ckpt_path", "new")
    assert "test split: 3 of 30 pictures of bright" in tested.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--init_from", "easy", "--model.backbone.width", "4"], "weights are of another model, "),
        (["--init_from", "easy", "--ckpt_path", "easy"], "--init_from is for fit, and starts a new run"),
        (["--init_from", "nowhere"], "--init_from nowhere is neither a checkpoint nor a run directory"),
    ],
)
def test_what_cannot_begin_so_is_refused_before_there_is_a_run(cli, easy, words, says):
    answer = cli("fit", *words, "--run_dir", "new") if "--ckpt_path" not in words else cli("fit", *words)

    assert answer.status == 2
    assert says in answer.err
    assert not (cli.folder / "new").exists()


def test_pictures_of_another_size_and_depth_begin_with_what_fits(cli, easy):
    folder = pictures(cli.folder / "large", 100)
    for file in folder.iterdir():
        Image.open(file).resize((12, 12)).save(file)

    answer = cli("fit", "--init_from", "easy", "--data.root", "large", "--data.bits", 4, "--run_dir", "new", *LR_0)

    assert answer.status == 0
    begun, before = weights("new"), weights("easy")
    taken = [name for name in begun if begun[name].shape == before[name].shape]
    assert f"{len(taken)} of {len(begun)} tensors" in answer.out
    for name in taken:
        torch.testing.assert_close(begun[name], before[name], rtol=0, atol=0)
    others = [name for name in begun if name not in taken]
    assert f"begin anew: {', '.join(others)}\n" in answer.out


def test_texts_of_another_alphabet_begin_with_the_rows_of_shared_tokens(cli):
    assert cli("fit", "--config", "texts.yaml", "--run_dir", "old").status == 0
    lines = (cli.folder / "texts.txt").read_text(encoding="utf-8").replace("t", "d").replace(".", "!?")
    (cli.folder / "others.txt").write_text(lines, encoding="utf-8")

    answer = cli("fit", "--init_from", "old", "--data.root", "others.txt", "--run_dir", "new", *LR_0)

    assert answer.status == 0
    content = {run: torch.load(checkpoints.find(run, "best"), weights_only=True) for run in ("old", "new")}
    entries = {run: each["symbols"]["tokenizer"]["characters"] for run, each in content.items()}
    assert len(entries["new"]) != len(entries["old"])
    shared = [entry for entry in entries["new"] if entry in entries["old"]]
    assert f"rows of {len(shared) + 1} of {len(entries['new']) + 1} tokens: head.table.weight" in answer.out
    new, old = weights("new")["head.table.weight"], weights("old")["head.table.weight"]
    for entry in shared:
        row, before = entries["new"].index(entry), entries["old"].index(entry)
        torch.testing.assert_close(new[row], old[before], rtol=0, atol=0)
    torch.testing.assert_close(new[-1], old[-1], rtol=0, atol=0)


def test_learned_maps_of_positions_are_resized(cli, tmp_path):
    vdvae = {
        "class_path": "lit_vae.backbones.VDVAE",
        "init_args": {"width": 8, "latent": 2, "enc_blocks": "8x1,8d2,4x1", "dec_blocks": "4x1,8m4,8x1"},
    }
    pictures(cli.folder / "dark", 0)
    flags = [*FOLDER, "--trainer.max_epochs", "1", "--model.backbone", str(vdvae)]
    assert cli("fit", "--config", "pictures.yaml", *flags, "--data.root", "dark", "--run_dir", "easy").status == 0
    folder = pictures(cli.folder / "large", 100)
    for file in folder.iterdir():
        Image.open(file).resize((16, 16)).save(file)
    vdvae["init_args"] |= {"enc_blocks": "16x1,16d2,8x1", "dec_blocks": "8x1,16m8,16x1"}

    answer = cli(
        "fit", "--init_from", "easy", "--model.backbone", str(vdvae), "--data.root", "large", "--run_dir", "new", *LR_0
    )

    assert answer.status == 0
    names = answer.out.partition("resized: ")[2].splitlines()[0].split(", ")
    begun, before = weights("new"), weights("easy")
    assert names == [name for name in begun if begun[name].shape != before[name].shape]
    for name in names:
        torch.testing.assert_close(
            begun[name], torch.nn.functional.interpolate(before[name], begun[name].shape[2:], mode="bilinear")
        )
