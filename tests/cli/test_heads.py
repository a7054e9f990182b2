"""The table of heads says of each head what it says of itself."""

import inspect
import re

import pytest

from lit_vae import heads
from lit_vae.cli import main

CONCRETE = [getattr(heads, name) for name in heads.__all__ if not inspect.isabstract(getattr(heads, name))]


def test_every_head_has_a_row(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    status = main(["heads"])

    printed = capsys.readouterr().out
    assert status == 0
    for head in CONCRETE:
        assert head.__name__ in printed
        assert head.data
        assert head.when


@pytest.mark.parametrize("head", [h for h in CONCRETE if issubclass(h, heads.PixelHead)])
def test_the_formula_counts_the_filters_of_a_pixel(head):
    arguments = {"sigma": "learned"} if head is heads.L2PixelHead else {}
    values = min(17, head.most_values)
    made = head(4, values, (3, 4, 4), **arguments)

    formula = re.sub(r"(?<=[\w)]) (?=[\w(])", "*", head.numbers)
    counted = eval(formula, {"C": 3, "K": 10, "V": values})

    assert made.output.out_channels == counted


def test_words_after_it_are_refused(capsys):
    assert main(["heads", "logistic"]) == 2
    assert "takes no arguments" in capsys.readouterr().err
