"""What a training says where there is no terminal."""

import re
import time

import pytest
from lightning.pytorch import Callback

from lit_vae.callbacks import ValidationLines
from lit_vae.callbacks.validation_lines import clock


def test_each_validation_is_a_line_with_step_time_and_bound(vae, data, make_short_trainer, capsys, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Slow(Callback):
        def on_train_epoch_start(self, *args):
            now[0] += 65.2

    trainer = make_short_trainer(Slow(), ValidationLines(), max_epochs=2, num_sanity_val_steps=1)
    trainer.fit(vae, data)

    first, second = capsys.readouterr().out.splitlines()
    number = r"\d+(\.\d+)?(e-\d+)?"
    assert re.fullmatch(rf"step 2, 0:01:05: val/bits_per_dim {number}, val/nelbo {number}, val/rate {number}", first)
    assert second.startswith("step 4, 0:02:10: ")
    assert f"val/nelbo {trainer.callback_metrics['val/nelbo']:.4g}" in second


def test_an_evaluation_has_no_line(vae, data, make_short_trainer, capsys):
    make_short_trainer(ValidationLines()).validate(vae, data, verbose=False)

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0:00:00"), (59.6, "0:01:00"), (360_000, "100:00:00")])
def test_times_are_in_hours_minutes_and_seconds(seconds, said):
    assert clock(seconds) == said
