"""Samples and reconstructions while a model learns."""

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from PIL import Image

from lit_vae.callbacks import Examples


def shown(folder) -> list[str]:
    return sorted(path.name for path in (folder / "examples").glob("*"))


def test_both_kinds_are_written_after_each_validation(vae, data, make_short_trainer, tmp_path):
    make_short_trainer(Examples(num=4), max_epochs=2).fit(vae, data)

    names = [f"{kind}-00000{step}.png" for kind in ("reconstructions", "samples") for step in (2, 4)]
    assert shown(tmp_path) == names


@pytest.mark.parametrize(("every", "steps"), [(0, []), (2, ["000004"]), (3, ["000006"])])
def test_the_interval_counts_epochs(vae, data, make_short_trainer, tmp_path, every, steps):
    make_short_trainer(Examples(every_n_epochs=every, num=1), max_epochs=4 if every == 0 else 2 * every - 1).fit(
        vae, data
    )

    assert [name for name in shown(tmp_path) if name.startswith("samples")] == [f"samples-{s}.png" for s in steps]


def test_originals_stand_beside_their_reconstructions(vae, data, make_short_trainer, tmp_path):
    make_short_trainer(Examples(num=2)).fit(vae, data)

    with Image.open(tmp_path / "examples" / "reconstructions-000002.png") as picture:
        grey = torch.from_numpy(np.asarray(picture).copy())[:, :, 0]
    zoom = 48 // 8
    first = grey[2 : 2 + 8 * zoom : zoom, 2 : 2 + 8 * zoom : zoom]
    original = data.dataset("val").__getitems__([0]).x[0, 0]
    assert torch.equal(first, (original.double() * 255 / 16).round().to(torch.uint8))


def test_few_examples_are_shown_where_there_are_few(vae, data, make_short_trainer, tmp_path):
    make_short_trainer(Examples(num=500)).fit(vae, data)

    assert len(shown(tmp_path)) == 2


def test_neither_a_sanity_check_nor_an_evaluation_shows_any(vae, data, make_short_trainer, tmp_path):
    trainer = make_short_trainer(Examples(), num_sanity_val_steps=1, limit_train_batches=0)

    trainer.fit(vae, data)
    trainer.validate(vae, data)

    assert shown(tmp_path) == []


def test_showing_changes_neither_the_mode_nor_the_random_state(vae, data, make_short_trainer):
    weights = []

    for num in (1, 8):
        torch.manual_seed(0)
        fresh = type(vae)(vae.backbone, vae.head, vae.objective)
        for parameter in fresh.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        make_short_trainer(Examples(num=num), max_epochs=2).fit(fresh, data)
        weights.append(torch.cat([parameter.detach().flatten() for parameter in fresh.parameters()]))

    assert torch.equal(weights[0], weights[1])


def test_loggers_get_what_they_can_show(vae, data, make_short_trainer, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loggers = [TensorBoardLogger(tmp_path / "board"), CSVLogger(tmp_path / "csv")]

    make_short_trainer(Examples(num=1), logger=loggers).fit(vae, data)

    (events,) = (tmp_path / "board").rglob("events*")
    assert set(EventAccumulator(str(events)).Reload().Tags()["images"]) == {"samples", "reconstructions"}


@pytest.mark.parametrize(
    "wrong", [{"every_n_epochs": -1}, {"num": 0}, {"temperature": -1.0}, {"temperature": float("nan")}]
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="every_n_epochs must be >= 0, num >= 1 and temperature >= 0"):
        Examples(**wrong)
