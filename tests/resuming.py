"""Tiny trainings that save at every place of theirs, and are resumed from each in a fresh set of objects.

As a program it trains with two processes: resuming.py FOLDER RECIPE... compares, and fails with what differs.
"""

import csv
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from lightning.pytorch.cli import ReduceLROnPlateau
from torch import Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR

from lit_vae import LitVAE, checkpoints
from lit_vae import callbacks as ours
from lit_vae.backbones import BatchNormPosterior, ConvVAE, RecurrentVAE
from lit_vae.cli.metrics_file import NAME, MetricsFile
from lit_vae.cli.quiet import quieten
from lit_vae.cli.resuming import nothing_left
from lit_vae.data import DigitsDataModule, TextLinesDataModule
from lit_vae.heads import L2PixelHead, LogisticPixelHead, LSTMTokenHead
from lit_vae.objectives import ELBO, Cyclical, FreeBits, GammaBalance, Linear, Logistic, SquareBalance, TargetKL
from lit_vae.regularizers import MMD, BagOfWords, Spectral
from lit_vae.schedules import LatePlateau, WarmupCosine
from lit_vae.tokenizers import Characters

LINES = [f"{n} times {n + 1} is {n * (n + 1)}{'!' * (n % 5)}" for n in range(48)]
BATCHES = 5


class NormedConvVAE(ConvVAE):
    """Batch-normalised at its end, with dropout, and with a buffer that is no statistic."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.norm = torch.nn.BatchNorm1d(self.width)
        self.register_buffer("seen", torch.zeros(()))

    def top_down(self, *args: Any) -> Any:
        features, latents = super().top_down(*args)
        if self.training:
            self.seen += 1
        features = torch.nn.functional.dropout(features, 0.1, self.training)
        return self.norm(features.flatten(0, -2)).view_as(features), latents


class Spoil(Callback):
    """Makes the gradients of some steps useless."""

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if trainer.global_step in (3, 4, 9):
            pl_module.head.output.weight.grad.fill_(float("nan") if trainer.global_step == 4 else 1e9)


@dataclass(frozen=True)
class Recipe:
    """A training, all of whose objects are made anew at each call.

    Args:
        vae: The model, from its data.
        callbacks: Its callbacks.
        data: What is trained on: pictures or texts.
        workers: Processes that load.
        settings: Of the trainer.
    """

    vae: Callable[[Any], LitVAE]
    callbacks: Callable[[], list[Callback]] = list
    data: str = "pictures"
    workers: int = 0
    settings: dict[str, Any] = field(default_factory=dict)


def adam(parameters):
    return Adam(parameters, lr=0.01)


def picture_vae(data, objective=None, head=LogisticPixelHead, backbone=ConvVAE, **settings):
    made = head(4, data.num_values, data.shape, **({"sigma": "optimal"} if head is L2PixelHead else {"components": 1}))
    built = backbone(made.embed_width, made.positions, width=4, latent=2, halvings=1)
    return LitVAE(built, made, objective or ELBO("symbol"), **{"optimizer": adam, **settings})


def text_vae(data, objective=None, posterior=None, **settings):
    head = LSTMTokenHead(4, data.num_values, data.shape, embed_width=4, hidden=6, own_table=True, word_dropout=0.3)
    extra = {} if posterior is None else {"posterior": posterior}
    built = RecurrentVAE(4, (None,), width=4, hidden=6, latent=3, **extra)
    return LitVAE(built, head, objective or ELBO("example"), **{"optimizer": adam, **settings})


def plateau(optimizer):
    return ReduceLROnPlateau(optimizer, monitor="val/nelbo", patience=1, factor=0.5, threshold=100.0)


def late_plateau(optimizer):
    return LatePlateau(optimizer, patience=1, first=1)


def objective(kl_weight=1.0, *rest, **named):
    return lambda: ELBO("symbol", kl_weight, *rest, **named)


def pictures(make_objective=None, **settings):
    extra = {} if make_objective is None else {"objective": make_objective}
    return lambda data: picture_vae(data, **{k: v() for k, v in extra.items()}, **settings)


def stages():
    return [
        ours.Stages(
            [
                ours.Stage(share=0.4, objective=ELBO("symbol", TargetKL(1.0, 0.5, 0.1))),
                ours.Stage(share=0.3, trains="decoder"),
                ours.Stage(reset="decoder"),
            ]
        )
    ]


HALVES = {"val_check_interval": 2}
RECIPES = {
    "plain": Recipe(pictures()),
    "texts": Recipe(text_vae, data="texts"),
    # ---- schedules of the learning rate ----
    "StepLR": Recipe(pictures(scheduler=partial(StepLR, step_size=4, gamma=0.5))),
    "WarmupCosine": Recipe(pictures(scheduler=partial(WarmupCosine, warmup=3, decay_steps=8))),
    "ReduceLROnPlateau": Recipe(pictures(scheduler=plateau)),
    "ReduceLROnPlateau, in mid-epoch": Recipe(pictures(scheduler=plateau), settings=HALVES),
    "ReduceLROnPlateau, second epochs": Recipe(pictures(scheduler=plateau), settings={"check_val_every_n_epoch": 2}),
    "LatePlateau": Recipe(lambda data: text_vae(data, scheduler=late_plateau), data="texts", settings=HALVES),
    # ---- objectives and regularizers ----
    "Linear": Recipe(pictures(objective(Linear(8, start=0.1)))),
    "Logistic": Recipe(pictures(objective(Logistic(5, 0.3)))),
    "Cyclical": Recipe(pictures(objective(Cyclical(12, cycles=3, zero=0.25, rise=0.25)))),
    "TargetKL": Recipe(pictures(lambda: ELBO("symbol", TargetKL(1.0, 0.5, 0.1)))),
    "TargetKL, accumulated": Recipe(
        pictures(lambda: ELBO("symbol", TargetKL(1.0, 0.5, 0.1))), settings={"accumulate_grad_batches": 2, **HALVES}
    ),
    "FreeBits, GammaBalance": Recipe(pictures(lambda: ELBO("symbol", 1.0, FreeBits(0.1), GammaBalance(10)))),
    "SquareBalance": Recipe(pictures(lambda: ELBO("symbol", 1.0, balance=SquareBalance()))),
    "MMD, Spectral": Recipe(lambda data: picture_vae(data, regularizers=[MMD(2.0), Spectral(0.5)])),
    "BagOfWords": Recipe(lambda data: text_vae(data, regularizers=[BagOfWords(hidden=4)]), data="texts"),
    # ---- models that keep statistics, and draw ----
    "batch norm, dropout": Recipe(pictures(backbone=NormedConvVAE)),
    "BatchNormPosterior": Recipe(lambda data: text_vae(data, posterior=BatchNormPosterior), data="texts"),
    "optimal sigma": Recipe(pictures(head=L2PixelHead), settings={"accumulate_grad_batches": 2}),
    # ---- callbacks ----
    "EMA": Recipe(pictures(backbone=NormedConvVAE), lambda: [ours.EMA(0.9, start=3, raw=True)], settings=HALVES),
    "UpdateGuard": Recipe(
        pictures(backbone=NormedConvVAE, scheduler=partial(StepLR, step_size=3)),
        lambda: [Spoil(), ours.UpdateGuard(memory=3)],
    ),
    "UpdateGuard, EMA, accumulated": Recipe(
        pictures(backbone=NormedConvVAE),
        lambda: [Spoil(), ours.UpdateGuard(memory=2), ours.EMA(0.9)],
        settings={"accumulate_grad_batches": 2, "val_check_interval": 3, "max_epochs": 5},
    ),
    "Stages": Recipe(lambda data: text_vae(data, scheduler=late_plateau), stages, "texts", settings={"max_epochs": 5}),
    "AggressiveEncoder": Recipe(
        text_vae, lambda: [ours.AggressiveEncoder(2, 3), ours.CollapseWatch()], "texts", settings=HALVES
    ),
    "CollapseWatch, TokenAccuracy": Recipe(
        text_vae, lambda: [ours.CollapseWatch(), ours.TokenAccuracy("both")], "texts", settings=HALVES
    ),
    "EarlyStopping": Recipe(
        pictures(),
        lambda: [EarlyStopping("val/nelbo", patience=3, min_delta=100.0)],
        settings={"max_epochs": 9, **HALVES},
    ),
    "what says and shows": Recipe(
        pictures(),
        lambda: [ours.OptimizerMonitor(), ours.ValidationLines(), ours.Throughput(), ours.CheckMonitors()],
    ),
    "what comes with the command line": Recipe(
        pictures(),
        lambda: [ours.SaveConfig("seed_everything: 0"), ours.Examples(num=2), ours.StopOnSignal()],
    ),
    # ---- the trainer ----
    "accumulated": Recipe(
        lambda data: text_vae(data, scheduler=partial(StepLR, step_size=2)),
        data="texts",
        settings={"accumulate_grad_batches": 3, **HALVES},
    ),
    "clipped, accumulated": Recipe(
        pictures(scheduler=plateau), settings={"accumulate_grad_batches": 2, "gradient_clip_val": 0.1}
    ),
    "validated by steps": Recipe(
        pictures(scheduler=plateau), settings={"check_val_every_n_epoch": None, "val_check_interval": 4}
    ),
    "no validation": Recipe(pictures(), settings={"limit_val_batches": 0}),
    "steps": Recipe(pictures(), settings={"max_epochs": -1, "max_steps": 12, **HALVES}),
    "steps, validated at the end": Recipe(
        pictures(scheduler=plateau), settings={"max_epochs": 9, "max_steps": 10, "accumulate_grad_batches": 2}
    ),
    "bfloat16": Recipe(pictures(), settings={"precision": "bf16-mixed", "accumulate_grad_batches": 2}),
    "workers": Recipe(pictures(), workers=2, settings=HALVES),
    "texts, workers": Recipe(text_vae, data="texts", workers=2, settings={"accumulate_grad_batches": 2}),
}
CARRY_NOTHING = {
    "ChangedSettings": "changes a checkpoint that is loaded",
    "KeepBest": "writes what the others here hold",
    "Compile": "its compiled passes are made anew, and take minutes",
    "KeepLast": "writes what the others here hold",
    "Progress": "a bar on a terminal",
    "Stage": "a part of Stages",
}
"""Callbacks of ours that no recipe has, and why."""


class SaveEverywhere(Checkpoint):
    """A checkpoint after each batch and each validation, as those that are saved by steps, time and score."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _save(self, trainer: Trainer, place: str) -> None:
        batches = trainer.fit_loop.epoch_loop.batch_progress.total.processed
        trainer.save_checkpoint(self.folder / f"{batches:03d}-{place}.ckpt")

    def on_train_batch_end(self, trainer, *args):
        self._save(trainer, "batch")

    def on_validation_end(self, trainer, *args):
        if not trainer.sanity_checking:
            self._save(trainer, "validation")

    def on_train_epoch_end(self, trainer, *args):
        self._save(trainer, "x-epoch")


class End(Checkpoint):
    """Everything that a training has in the end."""

    found: dict[str, Any]

    def on_fit_end(self, trainer, pl_module):
        saved = trainer._checkpoint_connector.dump_checkpoint()
        kept = ("state_dict", "trained_weights", "optimizer_states", "lr_schedulers", "callbacks", "global_step")
        self.found = {name: saved.get(name) for name in (*kept, "MixedPrecision")}
        self.found["callbacks"] = {
            name: state for name, state in saved["callbacks"].items() if not name.startswith("ModelCheckpoint")
        }


def train(
    name: str, folder: Path, resumed: Path | None = None, save: Path | None = None, *more: Callback
) -> dict[str, Any] | None:
    """Train a recipe, from the start or from a checkpoint, and test it.

    Args:
        name: Of the recipe.
        folder: Where its metrics go; where it goes on with those that are there.
        resumed: The checkpoint.
        save: Where a checkpoint of each place goes.
        more: Further callbacks.

    Returns:
        Everything that there is in the end, logged rows and the test's numbers too; None where a checkpoint is that of
        the last step, after which training had stopped by itself.
    """
    recipe = RECIPES[name]
    torch.manual_seed(0)
    os.environ["PL_GLOBAL_SEED"] = "0"
    if recipe.data == "texts":
        if not (folder.parent / "texts.txt").exists():  # the other process may be reading it
            (folder.parent / "texts.txt").write_text("\n".join(LINES), encoding="utf-8")
        cache = str(folder.parent / "cache")
        data = TextLinesDataModule(
            str(folder.parent / "texts.txt"), Characters(), 40, 8, num_workers=recipe.workers, cache_dir=cache
        )
    else:
        data = DigitsDataModule(batch_size=8, num_workers=recipe.workers)
    vae = recipe.vae(data)
    if resumed is not None:
        torch.manual_seed(77)  # nothing may depend on what was drawn before
        with torch.no_grad():
            for weight in vae.parameters():
                weight.zero_()
        torch.manual_seed(0)
    end = End()
    step = None if resumed is None else checkpoints.step(resumed)
    trainer = Trainer(
        accelerator="cpu",
        callbacks=[*recipe.callbacks(), *more, *([SaveEverywhere(save)] if save else []), end],
        logger=[MetricsFile(str(folder), step)],
        default_root_dir=folder,
        enable_checkpointing=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=2,
        use_distributed_sampler=False,
        **{
            "devices": 1,
            "max_epochs": 3,
            "limit_train_batches": BATCHES,
            "limit_val_batches": 2,
            "limit_test_batches": 2,
            "num_sanity_val_steps": 1,
            **recipe.settings,
            **({"devices": 2, "strategy": "ddp"} if "LOCAL_RANK" in os.environ or DISTRIBUTED else {}),
        },
    )
    if resumed is not None and name == "EarlyStopping" and nothing_left(trainer, resumed):
        return None
    trainer.fit(vae, data, ckpt_path=resumed, weights_only=None if resumed is None else True)
    with (folder / NAME).open(encoding="utf-8") as file:
        rows = [{k: v for k, v in row.items() if "second" not in k and k in row} for row in csv.DictReader(file)]
    rows = [{k: row[k] for k in sorted(row) if row[k] != ""} for row in rows]
    trainer.loggers = []
    tested = trainer.test(vae, data, verbose=False)
    return end.found | {"rows": rows, "test": tested}


DISTRIBUTED = False


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """Where two nested results are not the same to the last bit."""
    if isinstance(expected, Tensor):
        same = isinstance(found, Tensor) and torch.equal(found.nan_to_num(7.0), expected.nan_to_num(7.0))
        return [] if same else [where]
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = [*expected, *(key for key in found if key not in expected)]
        return [line for key in keys for line in differences(found.get(key), expected.get(key), f"{where}/{key}")]
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(found) != len(expected):
            return [f"{where}: {len(found)} instead of {len(expected)}"]
        pairs = enumerate(zip(found, expected, strict=True))
        return [line for n, pair in pairs for line in differences(*pair, f"{where}/{n}")]
    return (
        []
        if found == expected or (found != found and expected != expected)
        else [f"{where}: {found!r} instead of {expected!r}"]
    )


def faults(name: str, folder: Path, chosen: Callable[[list[Path]], list[Path]]) -> dict[str, list[str]]:
    """What differs where a recipe is resumed, by the place; nothing for each place from which nothing does.

    Args:
        name: Of the recipe.
        folder: An empty one.
        chosen: Which of all places are tried.
    """
    whole, saved = folder / "whole", folder / "saved"
    saved.mkdir(parents=True, exist_ok=True)
    whole.mkdir(exist_ok=True)
    expected = train(name, whole, save=saved)
    if DISTRIBUTED:
        torch.distributed.barrier()
    found = {}
    for place in chosen(sorted(saved.iterdir())):
        again = folder / f"from-{place.stem}"
        if os.environ.get("LOCAL_RANK", "0") == "0":
            again.mkdir()
            shutil.copy(whole / NAME, again)
        if DISTRIBUTED:
            torch.distributed.barrier()
        ending = train(name, again, resumed=place)
        found[place.stem] = [] if ending is None else differences(ending, expected)
    return found


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    quieten()
    DISTRIBUTED = sys.argv[1] == "two"
    bad = 0
    for name in sys.argv[3:] or RECIPES:
        slug = name.replace(" ", "_").replace(",", "")
        for place, lines in faults(name, Path(sys.argv[2]) / slug, list).items():
            if lines and os.environ.get("LOCAL_RANK", "0") == "0":
                bad += 1
                print(f"{name} from {place}: {len(lines)} differ: {lines[:4]}", flush=True)
        print(f"-- {name} done", flush=True)
    sys.exit(bad > 0)
