"""interpolate and traverse: rows of pictures, groups of lines."""

import json

import numpy as np
import pytest
from PIL import Image


def cells(path, columns, rows):
    """The pictures of a grid, [rows, columns, height, width]."""
    grid = np.asarray(Image.open(path).convert("L"))[2:, 2:]
    height, breadth = grid.shape[0] // rows, grid.shape[1] // columns
    return grid.reshape(rows, height, columns, breadth).swapaxes(1, 2)


def alike(pictures, others):
    """Whether they are the same, but for levels that lie so near the next that rounding decides."""
    return np.mean(pictures != others) < 0.01


def test_pictures_on_the_way_stand_between_their_originals(cli, finished):
    words = ["--ckpt_path", "pictures", "--num", "2"]
    cli("reconstruct", *words[:2], "--num", "4")

    answer = cli("interpolate", *words, "--steps", "3")

    assert answer.status == 0
    assert answer.out.splitlines() == [
        "wrote interpolation.png",
        "row 1: pair 1",
        "row 2: pair 2",
        "columns: part from, 0.00, 0.50, 1.00, to",
    ]
    walks = cells("interpolation.png", 5, 2)
    pairs = cells("reconstructions.png", 4, 2).reshape(4, 2, *walks.shape[2:])
    for row, (start, end) in zip(walks, [pairs[:2], pairs[2:]], strict=True):
        assert alike(row[[0, 1]], start)
        assert alike(row[[4, 3]], end)


def test_texts_on_the_way_are_printed_between_their_originals(cli, finished):
    originals = json.loads(cli("reconstruct", "--ckpt_path", "texts", "--num", "4", "--json").out)["examples"]

    lines = cli("interpolate", "--ckpt_path", "texts", "--num", "2", "--steps", "2").out.splitlines()

    assert lines[4] == ""
    for start, group in enumerate([lines[:4], lines[5:]]):
        one, other = originals[2 * start : 2 * start + 2]
        shown = [one["original"], one["reconstruction"], other["reconstruction"], other["original"]]
        assert group == [
            f"{start + 1}  {part}  {text}" for part, text in zip(["from", "0.00", "1.00", "to  "], shown, strict=True)
        ]


def test_a_walk_between_texts_that_are_typed_needs_no_data(cli, finished):
    (finished / "texts.txt").unlink()
    ends = ["--from", "1 times 2 is 2.", "--to", "3 times 4 is 12."]

    answer = cli("interpolate", "--ckpt_path", "texts", *ends, "--steps", "3", "--json")

    examples = json.loads(answer.out)["examples"]
    assert [example["part"] for example in examples] == ["from", 0.0, 0.5, 1.0, "to"]
    assert (examples[0]["text"], examples[-1]["text"]) == (ends[1], ends[3])


def test_a_walk_between_picture_files(cli, finished):
    for name, level in (("dark", 0), ("bright", 255)):
        Image.new("L", (8, 8), level).save(f"{name}.png")

    answer = cli("interpolate", "--ckpt_path", "pictures", "--from", "dark.png", "--to", "bright.png", "--steps", "2")

    assert answer.status == 0
    (row,) = cells("interpolation.png", 4, 1)
    assert (row[0][:-2, :-2] == 0).all()
    assert (row[3][:-2, :-2] == 255).all()


def test_examples_are_chosen_by_number(cli, finished):
    texts = [
        json.loads(cli("interpolate", "--ckpt_path", "texts", *words, "--json").out)["examples"][0]["text"]
        for words in (["--num", "1"], ["--pairs", "[3, 0]"], ["--pairs", "[0, 3]"])
    ]

    assert texts[0] == texts[2] != texts[1]


def test_a_variable_is_a_row_from_low_to_high(cli, finished):
    words = ["--variables", "[1, 0]", "--layer", "z", "--steps", "3", "--reach", "50"]

    answer = cli("traverse", "--ckpt_path", "pictures", *words)

    assert answer.out.splitlines() == [
        "wrote traversal.png",
        "all: layer z",
        "row 1: variable 1",
        "row 2: variable 0",
        "columns: value -50.00, 0.00, 50.00",
    ]
    rows = cells("traversal.png", 3, 2)
    assert all(not np.array_equal(row[0], row[2]) for row in rows)


def test_the_most_informative_variables_are_traversed_unless_they_are_named(cli, finished):
    words = ["--num", "2", "--steps", "2", "--from", "1 times 2 is 2.", "--out", "a.txt"]

    answer = cli("traverse", "--ckpt_path", "texts", *words)

    lines = (finished / "a.txt").read_text(encoding="utf-8").splitlines()
    assert lines[2] == ""
    assert sorted({line[0] for line in lines if line}) == ["0", "1"]
    assert [line.split()[1] for line in lines if line] == ["-3.00", "3.00"] * 2
    assert answer.err == f"largest KL: layer z, variables {lines[0][0]}, {lines[3][0]}\n"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["interpolate"], "missing: --ckpt_path"),
        (["interpolate", "--ckpt_path", "texts", "--from", "1"], "say both --from and --to"),
        (["interpolate", "--ckpt_path", "texts", "--steps", "1"], "--steps counts up from 2, got 1"),
        (["interpolate", "--ckpt_path", "texts", "--num", "0"], "--num counts pairs up from 1"),
        (["interpolate", "--ckpt_path", "texts", "--num", "6"], "numbered from 0 to 9, got 10"),
        (["interpolate", "--ckpt_path", "texts", "--pairs", "[1]"], "--pairs names two examples to a pair"),
        (["interpolate", "--ckpt_path", "texts", "--from", "9 " * 40, "--to", "1"], "shorten it"),
        (["interpolate", "--ckpt_path", "pictures", "--from", "texts.txt", "--to", "x"], "cannot be read as a picture"),
        (["traverse", "--ckpt_path", "pictures", "--from", "wide.png"], "9 pixels wide and 8 high"),
        (["interpolate", "--ckpt_path", "texts", "--beams", "0"], "change --beams"),
        (["traverse"], "missing: --ckpt_path"),
        (["traverse", "--ckpt_path", "texts", "--layer", "y"], "--layer y is no latent layer"),
        (["traverse", "--ckpt_path", "texts", "--layer", "z", "--variables", "[2]"], "a channel from 0 to 1"),
        (["traverse", "--ckpt_path", "texts", "--at", "[0]"], "a channel from 0 to 1"),
        (["traverse", "--ckpt_path", "texts", "--example", "99"], "numbered from 0 to 9, got 99"),
        (["traverse", "--ckpt_path", "texts", "--steps", "1"], "--steps counts up from 2"),
        (["traverse", "--ckpt_path", "texts", "--reach", "0"], "--reach is above 0"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_cannot_be_walked_is_refused(cli, finished, words, reason):
    Image.new("L", (9, 8)).save("wide.png")
    before = sorted(finished.rglob("*"))

    answer = cli(*words)

    assert answer.status == 2
    assert reason in answer.err
    assert sorted(finished.rglob("*")) == before
