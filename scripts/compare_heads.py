"""Train one small backbone with every head that fits the data, and compare them in one table and one picture.

    python scripts/compare_heads.py digits|cifar --out DIR [--root DIR] [--steps N]

The data are scikit-learn's digits, or the middle 16x16 of CIFAR-10's pictures. For each head: bits/dim on the test
split; sharpness, the mean squared Laplacian of what a person is shown of 256 samples over that of the test pictures
(1 is as sharp as the data, below 1 blurred, above 1 noisy); and seconds of a training step, the fastest tenth's.

Writes DIR/heads_NAME.json, .md and .png.
"""

import argparse
import json
import logging
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from PIL import Image, ImageDraw
from torch import Tensor

from lit_vae import LitVAE, heads
from lit_vae.backbones import LadderVAE
from lit_vae.data import CIFAR10DataModule, DigitsDataModule, Split, SymbolDataModule
from lit_vae.objectives import ELBO, Linear
from lit_vae.rendering import Pictures
from lit_vae.symbols import Pixels

HEADS: dict[str, tuple[type[heads.PixelHead], dict[str, Any]]] = {
    "logistic, K = 5": (heads.LogisticPixelHead, {"components": 5}),
    "logistic, K = 1": (heads.LogisticPixelHead, {"components": 1}),
    "normal, K = 5": (heads.NormalPixelHead, {"components": 5}),
    "Laplace, K = 5": (heads.LaplacePixelHead, {"components": 5}),
    "Cauchy, K = 5": (heads.CauchyPixelHead, {"components": 5}),
    "Student-t, K = 5": (heads.StudentTPixelHead, {"components": 5}),
    "softmax": (heads.SoftmaxPixelHead, {}),
    "beta-binomial": (heads.BetaBinomialPixelHead, {}),
    "L2, optimal sigma": (heads.L2PixelHead, {"sigma": "optimal"}),
    "L2, sigma 1/8 of the range": (heads.L2PixelHead, {"sigma": "eighth"}),
}


class CIFAR10Crops(CIFAR10DataModule):
    """The middle 16x16 of CIFAR-10's pictures."""

    @property
    def symbols(self) -> Pixels:
        return Pixels(f"middle 16x16 of {super().symbols.name}", 256, (3, 16, 16))

    def read(self, split: Split) -> Tensor:
        return super().read(split)[:, :, 8:24, 8:24].contiguous()


class StepTimer(Callback):
    """Seconds of each training step, loading left out."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, *args: Any) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, *args: Any) -> None:
        self.seconds.append(time.perf_counter() - self._start)


def sharpness(images: Tensor) -> float:
    """Mean squared Laplacian of pictures [N, C, H, W]."""
    x = images.double()
    laplacian = 4 * x[..., 1:-1, 1:-1] - x[..., :-2, 1:-1] - x[..., 2:, 1:-1] - x[..., 1:-1, :-2] - x[..., 1:-1, 2:]
    return laplacian.square().mean().item()


def run(label: str, data: SymbolDataModule, steps: int) -> tuple[dict[str, Any], Pictures] | None:
    """Train and test one head; None where it does not fit the data."""
    seed_everything(0, verbose=False)
    head_class, arguments = HEADS[label]
    if arguments.get("sigma") == "eighth":
        arguments = {"sigma": (data.num_values - 1) / 8}
    try:
        head = head_class(32, data.num_values, data.shape, **arguments)
    except ValueError as error:
        print(f"{label}: left out, {error}")
        return None
    backbone = LadderVAE(head.embed_width, head.positions, width=32, latent=8, blocks=[1, 2])
    vae = LitVAE(
        backbone,
        head,
        ELBO(per="symbol", kl_weight=Linear(max(1, steps // 10))),
        lambda parameters: torch.optim.Adam(parameters, lr=2e-3),
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=4e-5),
    )
    timer = StepTimer()
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    trainer = Trainer(
        max_steps=steps, accelerator="cpu", gradient_clip_val=10.0, enable_checkpointing=False, callbacks=[timer],
        limit_val_batches=0, **quiet,
    )  # fmt: skip
    trainer.fit(vae, datamodule=data)
    tested = trainer.test(vae, datamodule=data, verbose=False)[0]
    samples = vae.sample(256)
    assert isinstance(samples, Pictures)
    test = data.symbols.render(data.dataset("test").__getitems__(list(range(min(1000, len(data.dataset("test")))))).x)
    row = {
        "head": label,
        "bits_per_dim": tested["test/bits_per_dim"],
        "rate": tested["test/rate"],
        "sharpness": sharpness(samples.images) / sharpness(test.images),
        "seconds_per_step": statistics.quantiles(timer.seconds, n=10)[0],
        "parameters_per_symbol": head.output.out_channels / head.channels,
    }
    print(json.dumps(row))
    return row, Pictures(samples.images[:16], columns=16)


def label_rows(rows: list[tuple[str, Pictures]]) -> Image.Image:
    """One picture: a row of samples per head, its name on the left."""
    grids = [Image.fromarray(pictures.grid().permute(1, 2, 0).numpy()) for _, pictures in rows]
    margin = 190
    sheet = Image.new("RGB", (margin + grids[0].width, sum(grid.height for grid in grids)), "white")
    top = 0
    for (label, _), grid in zip(rows, grids, strict=True):
        ImageDraw.Draw(sheet).text((8, top + grid.height // 2 - 7), label, fill="black", font_size=14)
        sheet.paste(grid, (margin, top))
        top += grid.height
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["digits", "cifar"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--root", default="data", help="where CIFAR-10 lies")
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    data = DigitsDataModule(batch_size=32) if options.data == "digits" else CIFAR10Crops(options.root, batch_size=16)
    test = data.symbols.render(data.dataset("test").__getitems__(list(range(16))).x)
    assert isinstance(test, Pictures)
    results = {label: run(label, data, options.steps) for label in HEADS}
    done = {label: result for label, result in results.items() if result is not None}

    options.out.mkdir(parents=True, exist_ok=True)
    base = options.out / f"heads_{options.data}"
    base.with_suffix(".json").write_text(json.dumps([row for row, _ in done.values()], indent=2) + "\n")
    lines = ["| head | bits/dim | sharpness | ms/step | numbers per symbol |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['head']} | {row['bits_per_dim']:.3f} | {row['sharpness']:.2f} | {1000 * row['seconds_per_step']:.0f} "
        f"| {row['parameters_per_symbol']:.4g} |"
        for row, _ in sorted(done.values(), key=lambda result: result[0]["bits_per_dim"])
    ]
    base.with_suffix(".md").write_text("\n".join(lines) + "\n")
    shown = [("test pictures", Pictures(test.images, columns=16))]
    label_rows(shown + [(label, pictures) for label, (_, pictures) in done.items()]).save(base.with_suffix(".png"))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
