"""The unigram and bigram models that a text VAE is compared with."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from lit_vae.cli.data import of_config
from lit_vae.data import TextDataModule

SCRIPT = Path(__file__).parents[1] / "scripts" / "text_baselines.py"
spec = importlib.util.spec_from_file_location("text_baselines", SCRIPT)
assert spec is not None
assert spec.loader is not None
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

VALUES = 4
TRAIN = np.array([0, 1, 0, 1, 3, 0, 1, 1, 3, 1, 0, 3])


def test_the_unigram_shares_one_unit_of_mass():
    unigram = script.Unigram(TRAIN, VALUES)

    assert unigram.prob(0.5).sum() == pytest.approx(1.0)
    assert unigram.prob(0.0) == pytest.approx([4 / 12, 5 / 12, 0, 3 / 12])


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_the_bigram_shares_one_unit_of_mass_after_every_token(before):
    bigram = script.Bigram(TRAIN, script.Unigram(TRAIN, VALUES))

    prob = bigram.prob(np.full(VALUES, before), np.arange(VALUES), 0.7)

    assert prob.sum() == pytest.approx(1.0)


def test_the_bigram_counts_and_the_first_token_follows_an_end_symbol():
    bigram = script.Bigram(TRAIN, script.Unigram(TRAIN, VALUES))

    prob = bigram.prob(np.array([3, 0, 0]), np.array([0, 1, 0]), 0.0)

    assert prob == pytest.approx([2 / 3, 3 / 4, 0])


def test_the_fit_finds_the_least_loss():
    assert script.fit(lambda a: (np.log(a) - 1.5) ** 2) == pytest.approx(np.exp(1.5), rel=1e-2)


def test_a_config_and_its_overrides_make_the_table(tmp_path):
    (tmp_path / "own.txt").write_text("\n".join(f"{'ab' * (i % 7)} {i}" for i in range(60)), encoding="utf-8")
    overrides = [f"--data.root={tmp_path / 'own.txt'}", "--data.tokenizer=lit_vae.tokenizers.Characters"]

    table = script.baselines(of_config("text_lines.yaml", overrides, TextDataModule))

    assert table["bigram"] < table["unigram"] < table["uniform"]
