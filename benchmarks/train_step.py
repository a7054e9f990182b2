"""A training step of the published CIFAR-10 models: pictures a second, memory, and the share of the matrix rate.

    python benchmarks/train_step.py [--configs vdvae_cifar evdvae_cifar nvae_cifar --batch 4 --rounds 3 --compile]
    python benchmarks/train_step.py --scaling [--batch 4 --rounds 3]

A step is a forward and a backward pass of the bound, without optimizer and regularizers. Its operations are three times
those that torch counts in the plain float32 forward pass; recomputing them earns nothing. The matrix rate is that of a
product of two square matrices in the type of the step, timed in turn with the steps. Saved is what the forward pass
keeps for the backward pass besides weights and pictures. Peaks are beyond what was in use before the step, gradients
included: of tensors, and of the whole process, in which a processor's allocator leaves gaps. Where others use the
machine, ``--clock cpu`` counts the processor's seconds rather than the clock's: with one thread only.

On a GPU (``--device cuda``) nothing of this has been run yet.
"""

import argparse
import importlib
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import yaml
from common import Work, interleaved, peak_bytes, publish
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lit_vae.backbones import Backbone
from lit_vae.batch import Batch
from lit_vae.draws import from_posterior
from lit_vae.heads import DecoderHead
from lit_vae.noise import StreamNoise

CONFIGS = Path(__file__).parents[1] / "configs"
PUBLISHED = ("vdvae_cifar", "evdvae_cifar", "nvae_cifar")
PRODUCTS = 10
"""Matrix products to a timing."""

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Row = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """One way to take the step.

    Args:
        dtype: Of the products.
        recompute: Whether activations are computed again in the backward pass.
        compiled: Whether torch compiles the forward pass and its gradient.
    """

    dtype: torch.dtype
    recompute: bool = False
    compiled: bool = False

    def __str__(self) -> str:
        words = [str(self.dtype).removeprefix("torch."), "recompute" * self.recompute, "compiled" * self.compiled]
        return ", ".join(filter(None, words))


PLAIN = Variant(torch.float32)
VARIANTS = [Variant(dtype, recompute) for recompute in (False, True) for dtype in (torch.float32, torch.bfloat16)]
COMPILED = [Variant(dtype, compiled=True) for dtype in (torch.float32, torch.bfloat16)]


class Step(nn.Module):
    """A model with pictures of noise, and the step in each of its variants.

    Args:
        config: Name of a packaged config for pictures of three channels.
        batch: Pictures.
        device: Where it runs.
        size: Sides of a picture.
        changes: Arguments of the backbone that differ from the config's.
    """

    def __init__(self, config: str, batch: int, device: str, size: int = 32, **changes: Any) -> None:
        super().__init__()
        model = yaml.safe_load((CONFIGS / f"{config}.yaml").read_text(encoding="utf-8"))["model"]
        settings = {**model["backbone"]["init_args"], **changes}
        backbone = located(model["backbone"])(3, (size, size), **settings)
        head = located(model["head"])(backbone.width, 256, (3, size, size), **model["head"]["init_args"])
        assert isinstance(backbone, Backbone)
        assert isinstance(head, DecoderHead)
        self.backbone, self.head = backbone.to(device), head.to(device)
        codes = torch.randint(256, (batch, 3, size, size), dtype=torch.uint8)
        self.batch = Batch(codes, None, torch.arange(batch)).to(device)
        layers = backbone.layers((size, size))
        source = StreamNoise(0, device=device)
        self.noise = [source.normal((batch, *layer.shape)) for layer in layers]
        self.autocast = partial(torch.autocast, device, torch.bfloat16)
        self.compiled = torch.compile(bound)

    def forward(self, variant: Variant) -> Tensor:
        """The bound, in nats per symbol."""
        self.backbone.recompute = variant.recompute  # type: ignore[assignment]
        context: AbstractContextManager[Any] = nullcontext() if variant.dtype == torch.float32 else self.autocast()
        with context:
            return (self.compiled if variant.compiled else bound)(self.backbone, self.head, self.batch, self.noise)

    def take(self, variant: Variant) -> None:
        """Forward and backward, from no gradients."""
        self.zero_grad(set_to_none=True)
        self(variant).backward()

    def operations(self) -> int:
        """Floating-point operations of the plain step: three times those of its forward pass.

        torch's counter takes the backward pass of a convolution in groups for that of a whole one.
        """
        with FlopCounterMode(display=False) as counter:
            self(PLAIN)
        return 3 * counter.get_total_flops()

    def saved(self, variant: Variant) -> int:
        """Bytes that the forward pass keeps for the backward pass."""
        kept: dict[int, Any] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage  # held, so that no other takes its place
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            self(variant)
        given = {tensor.untyped_storage().data_ptr() for tensor in (*self.parameters(), *self.buffers(), self.batch.x)}
        return sum(storage.nbytes() for place, storage in kept.items() if place not in given)

    def peaks(self, variant: Variant, device: str) -> tuple[int, int]:
        """Most bytes in use during a step beyond the weights: of tensors, and of the process."""
        take = partial(self.take, variant)
        take()
        self.zero_grad(set_to_none=True)
        of_process = peak_bytes(take, device)
        self.zero_grad(set_to_none=True)
        return (peak_of_tensors(take) if device == "cpu" else of_process), of_process


def peak_of_tensors(work: Work) -> int:
    """Most bytes that tensors on a processor hold during the work beyond those before it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    assert profile.profiler is not None
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in events))


def located(settings: dict[str, Any]) -> Any:
    """The class that part of a config names."""
    module, _, name = settings["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def bound(backbone: Backbone, head: DecoderHead, batch: Batch, noise: Sequence[Tensor]) -> Tensor:
    """Negative evidence lower bound, nats per symbol."""
    features = head.embed(batch)
    context = backbone.bottom_up(features, None)
    features, latents = backbone.top_down(context, features.shape[:-1], from_posterior, noise, None)
    nats = sum(latent.kl for latent in latents) - head(features).log_prob(batch.x)
    return nats.sum() / batch.x.numel()


def products(device: str) -> dict[str, tuple[Work, float]]:
    """For each type, matrix products, and how many operations they are."""
    side = 1536 if device == "cpu" else 8192
    works: dict[str, tuple[Work, float]] = {}
    for dtype in (torch.float32, torch.bfloat16):
        factor = torch.randn(side, side, device=device).to(dtype)
        works[f"{dtype} products"] = partial(multiply, factor), 2.0 * PRODUCTS * side**3
    return works


def multiply(factor: Tensor) -> None:
    """A matrix multiplied by itself, several times over."""
    for _ in range(PRODUCTS):
        factor @ factor


def measure(config: str, variants: Sequence[Variant], asked: argparse.Namespace) -> list[Row]:
    """Rows of the table for one model; the first of the variants is the plain one."""
    step = Step(config, asked.batch, asked.device)
    operations, multiplications = step.operations(), products(asked.device)
    works: dict[str, Work] = {str(variant): partial(step.take, variant) for variant in variants}
    works |= {name: work for name, (work, _) in multiplications.items()}
    saved = {variant: step.saved(variant) for variant in variants}
    peaks = {variant: step.peaks(variant, asked.device) for variant in variants}
    seconds = interleaved(works, asked.rounds, warmup=0, clock=CLOCKS[asked.clock])
    rates = {name: count / seconds[name] for name, (_, count) in multiplications.items()}
    return [
        {
            "config": config,
            "batch": asked.batch,
            "step": str(variant),
            "images/s": asked.batch / seconds[str(variant)],
            "times float32": seconds[str(PLAIN)] / seconds[str(variant)],
            "GFLOP/image": operations / asked.batch / 1e9,
            "of the matrix rate": operations / seconds[str(variant)] / rates[f"{variant.dtype} products"],
            "matrix GFLOP/s": rates[f"{variant.dtype} products"] / 1e9,
            "saved MB": saved[variant] / 1e6,
            "of float32's": saved[variant] / saved[PLAIN],
            "peak MB": peaks[variant][0] / 1e6,
            "of float32's peak": peaks[variant][0] / peaks[PLAIN][0],
            "process MB": peaks[variant][1] / 1e6,
        }
        for variant in variants
    ]


def scale(asked: argparse.Namespace) -> list[Row]:
    """Rows of the table of VDVAEs of other depths and resolutions: linear is the same time to an operation."""
    top = "1x1,4m1,8m4,16m8,32m16"
    made = {
        f"{blocks} more blocks at 32x32": Step(
            "vdvae_cifar", asked.batch, asked.device, dec_blocks=f"{top},32x{blocks}"
        )
        for blocks in (5, 10, 20)
    }
    made["as the first, pictures of 64x64"] = Step(
        "vdvae_cifar", max(1, asked.batch // 4), asked.device, 64, dec_blocks=f"{top},32x5"
    )
    operations = {name: step.operations() for name, step in made.items()}
    works = {name: partial(step.take, PLAIN) for name, step in made.items()}
    seconds = interleaved(works, asked.rounds, clock=CLOCKS[asked.clock])
    return [
        {
            "model": name,
            "GFLOP/image": operations[name] / len(step.batch) / 1e9,
            "seconds/image": seconds[name] / len(step.batch),
            "ms/GFLOP": 1e12 * seconds[name] / operations[name],
            "saved MB/image": step.saved(PLAIN) / len(step.batch) / 1e6,
            "saved KB/MFLOP": 1e3 * step.saved(PLAIN) / operations[name],
        }
        for name, step in made.items()
    ]


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", nargs="+", default=PUBLISHED)
    parser.add_argument("--batch", type=int, help="pictures; 4 on a processor, 64 on a GPU")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each step")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--compile", action="store_true", help="compiled steps too: minutes to compile each")
    parser.add_argument("--scaling", action="store_true", help="other depths and resolutions instead")
    asked = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(asked.threads)
    asked.batch = asked.batch or (4 if asked.device == "cpu" else 64)
    if asked.scaling:
        publish("train_step_scaling", scale(asked), asked.device)
        return
    variants = VARIANTS + (COMPILED if asked.compile else [])
    publish("train_step", [row for name in asked.configs for row in measure(name, variants, asked)], asked.device)


if __name__ == "__main__":
    main()
