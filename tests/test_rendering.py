"""Pictures and texts as files and in loggers."""

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from PIL import Image

from lit_vae.rendering import Pictures, Texts


def pictures(number, channels=1, height=5, width=7):
    generator = torch.Generator().manual_seed(0)
    return Pictures(torch.randint(256, (number, channels, height, width), generator=generator, dtype=torch.uint8))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_grid_shows_every_picture(channels, tmp_path):
    few = pictures(5, channels, height=60, width=50)

    few.save(tmp_path / "grid.png")

    grid = np.asarray(Image.open(tmp_path / "grid.png"))
    assert grid.shape == (2 * 62 + 2, 3 * ((channels if channels in (2, 4) else 1) * 50 + 2) + 2, 3)
    assert np.array_equal(grid, few.grid().permute(1, 2, 0).numpy())
    first = few.images[0] if channels in (1, 3) else few.images[0, :1]
    shown = torch.from_numpy(grid.copy())[2:62, 2:52].permute(2, 0, 1)
    assert torch.equal(shown, first.expand(3, -1, -1))


def test_small_pictures_are_enlarged_to_be_seen():
    assert min(pictures(1, height=8, width=8).grid().shape[1:]) >= 48


def test_originals_and_reconstructions_alternate_in_a_row():
    originals, reconstructions = pictures(3), Pictures(torch.zeros(3, 1, 5, 7, dtype=torch.uint8))

    pairs = originals.beside(reconstructions)

    assert len(pairs) == 6
    assert torch.equal(pairs.images[0::2], originals.images)
    assert torch.equal(pairs.images[1::2], reconstructions.images)
    assert pairs.columns % 2 == 0


def test_a_text_file_has_one_line_an_example_whatever_the_texts_hold(tmp_path):
    texts = ["plain", "two\nlines", "three\r\nwith\rreturns", "a\u2028b\x0bc\x85d", "", "dé\t|"]

    Texts(texts).save(tmp_path / "texts.txt")

    lines = (tmp_path / "texts.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(texts)
    assert lines[:2] == ["plain", r"two\nlines"]
    assert lines[4:] == ["", "dé\t|"]


def test_each_text_is_followed_by_its_counterpart():
    pairs = Texts(["a", "b"]).beside(Texts(["c", "d\n"]))

    assert len(pairs) == 2
    assert pairs.lines() == ["a", "-> c", "b", r"-> d\n"]


def test_loggers_are_sent_what_they_can_show(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = TensorBoardLogger(tmp_path, name="board", version="0")
    for logger in (board, CSVLogger(tmp_path)):
        pictures(4).log(logger, "samples", 3)
        Texts(["a"]).beside(Texts(["b"])).log(logger, "texts", 3)
    board.experiment.flush()

    events = EventAccumulator(board.log_dir).Reload()
    assert [event.step for event in events.Images("samples")] == [3]
    assert any("texts" in tag for tag in events.Tags()["tensors"])


LABELS = [{"layer": "z", "variable": variable, "value": value} for variable in (4, 12) for value in (-1.0, 0.5)]


def test_labels_that_tell_texts_apart_come_before_them_and_groups_are_parted():
    texts = Texts(["a", "b", "c", "d\n"]).in_rows(2, LABELS)

    assert texts.lines() == ["4   -1.00  a", "4   0.50   b", "", "12  -1.00  c", r"12  0.50   d\n"]


def test_labels_of_pictures_say_what_rows_and_columns_are():
    rows = pictures(4).in_rows(2, LABELS)

    assert rows.lines() == ["all: layer z", "row 1: variable 4", "row 2: variable 12", "columns: value -1.00, 0.50"]
    assert rows.grid().shape[2] < pictures(4).in_rows(4, LABELS).grid().shape[2]
    assert pictures(4).lines() == []


def test_a_machine_is_told_of_each_example_by_itself():
    assert pictures(3).records() == [{"row": 0, "column": 0}, {"row": 0, "column": 1}, {"row": 1, "column": 0}]
    assert pictures(4).in_rows(2, LABELS).records()[3] == {"row": 1, "column": 1, **LABELS[3]}
    assert Texts(["a\n", "b"]).records() == [{"text": "a\n"}, {"text": "b"}]
    assert Texts(["a"]).in_rows(1, LABELS[:1]).records() == [{**LABELS[0], "text": "a"}]
    assert Texts(["a"]).beside(Texts(["b"])).records() == [{"original": "a", "reconstruction": "b"}]


def test_examples_can_be_joined_and_put_in_another_order():
    three, two = pictures(3), pictures(2)

    assert torch.equal((three + two)[[4, 0]].images, torch.stack([two.images[1], three.images[0]]))
    assert (Texts(["a", "b"]) + Texts(["c"]))[[2, 0]].texts == ["c", "a"]
