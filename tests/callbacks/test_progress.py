"""What the progress bar shows."""

import re

from lit_vae.callbacks import Progress


def lines(capsys) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_the_bar_shows_the_current_rate_and_the_validations(vae, data, make_short_trainer, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    make_short_trainer(Progress(), enable_progress_bar=True).fit(vae, data)

    (line,) = lines(capsys)
    assert re.fullmatch(r"Epoch 0/0 .*it/s bits_per_dim: \d\.\d{3} val: \d\.\d{3} *", line)


def test_a_run_that_ends_at_a_number_of_steps_counts_epochs_up(vae, data, make_short_trainer, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    make_short_trainer(Progress(), enable_progress_bar=True, max_epochs=-1, max_steps=3).fit(vae, data)

    assert lines(capsys)[-1].startswith("Epoch 1 ")
