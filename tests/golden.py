"""What the reference systems compute, as recorded beside the repository, and the formulas behind the recordings.

A tiny model's weights, input and noise are formulas, so that most checks need no file: only whole tensors do.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_vae.backbones import Backbone
from lit_vae.batch import Batch
from lit_vae.draws import FromPrior, from_posterior
from lit_vae.heads import LogisticPixelHead
from lit_vae.importing import SYSTEMS
from lit_vae.importing.names import head_order
from lit_vae.latents import Latent

FOLDER = Path(__file__).parents[2] / "shared" / "golden"
COMPONENTS = 2


def recorded(name: str) -> Path:
    """A file of recordings; the test that asks is skipped where there are none."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"no recordings of the reference systems: ../shared/golden/{name} is not beside this checkout")
    return path


def outputs(system: str) -> dict[str, Any]:
    """The outputs and the state of a system's tiny model."""
    return torch.load(recorded(f"{system}.pt"), weights_only=True)


@dataclass(frozen=True)
class Tiny:
    """A tiny model in float64 on the two pictures that were fed, its weights set by their formula.

    Args:
        backbone: For square pictures in three colours.
        head: Of two components.
        names: Our name of each reference parameter, in the reference's order.
        side: Of the pictures.
    """

    backbone: Backbone
    head: LogisticPixelHead
    names: Mapping[str, str]
    side: int = 8

    def __post_init__(self) -> None:
        self.backbone.double()
        self.head.double()
        with torch.no_grad():
            for i, reference in enumerate(self.names):
                parameter = self.parameter(reference)
                parameter.copy_(self.in_our_order(reference, formula(i, parameter.shape)))

    def parameter(self, reference: str) -> nn.Parameter:
        """Our parameter of a reference name."""
        part, _, name = self.names[reference].partition(".")
        return {"backbone": self.backbone, "head": self.head}[part].get_parameter(name)

    def in_our_order(self, reference: str, value: Tensor) -> Tensor:
        """A reference parameter with the channels that it puts out in our order."""
        return value[head_order(COMPONENTS)] if self.names[reference].startswith("head.") else value

    @property
    def batch(self) -> Batch:
        """The pixels that were fed."""
        x = (torch.arange(2 * 3 * self.side**2) * 37 % 256).view(2, 3, self.side, self.side).to(torch.uint8)
        return Batch(x, None, torch.arange(2))

    @property
    def noise(self) -> list[Tensor]:
        """The noise that was drawn: a cosine of the place in a channels-first tensor."""
        shapes = [(2, *layer.shape) for layer in self.backbone.layers((self.side, self.side))]
        waves = [(0.7 * torch.arange(math.prod(shape), dtype=torch.float64)).cos() for shape in shapes]
        return [
            wave.view(batch, channels, height, breadth).movedim(1, -1)
            for wave, (batch, height, breadth, channels) in zip(waves, shapes, strict=True)
        ]

    @torch.no_grad()
    def reconstruct(self) -> tuple[Tensor, list[Latent]]:
        """Features and latents of the batch."""
        context = self.backbone.bottom_up(self.head.embed(self.batch), None)
        return self.backbone.top_down(context, [2, self.side, self.side], from_posterior, self.noise, None)

    @torch.no_grad()
    def sample(self) -> Tensor:
        """Features from the prior at temperature 0.7."""
        return self.backbone.top_down(None, [2, self.side, self.side], FromPrior(0.7), self.noise, None)[0]

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """What the reference's output convolution says, [B, H, W, P], in its order."""
        return self.head.project(features)[..., head_order(COMPONENTS).argsort()]

    @torch.no_grad()
    def nats_per_dim(self) -> tuple[Tensor, Tensor]:
        """Distortion and the KL of each layer, batch means per dimension."""
        features, latents = self.reconstruct()
        distortion = -self.head(features).log_prob(self.batch.x)
        kls, dimensions = torch.stack([latent.kl for latent in latents]), 3 * self.side**2
        return distortion.mean() / dimensions, kls.mean(1) / dimensions


def formula(i: int, shape: torch.Size) -> Tensor:
    """Weights of the i-th parameter."""
    count = math.prod(shape)
    size = 0.5 / math.sqrt(count / shape[0]) if len(shape) >= 2 and shape[0] > 1 else 0.1
    return ((0.1 * torch.arange(count, dtype=torch.float64) + i).sin() * size).view(shape)


def names(system: str, backbone: Backbone, sections: Sequence[str]) -> dict[str, str]:
    """Our name of each of a system's parameters, in its order.

    Args:
        system: Which.
        backbone: Of ours.
        sections: How its names begin, in its order; parameters of one section are in the importer's order.
    """
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    pairs = [pair for pair in SYSTEMS[system].names(backbone) if not pair[0].endswith(statistics)]
    return dict(sorted(pairs, key=lambda pair: next(i for i, s in enumerate(sections) if pair[0].startswith(s))))


def check_against_the_recording(tiny: Tiny, system: str) -> dict[str, Any]:
    """Compare names, shapes and weights with the recorded state; the recorded outputs."""
    output = outputs(system)
    lines = recorded(f"keys/{system}_tiny_keys.txt").read_text().splitlines()
    assert lines == [f"{name} {tuple(tiny.parameter(name).shape)}" for name in tiny.names]
    for name, value in output["state_dict"].items():
        torch.testing.assert_close(tiny.parameter(name), tiny.in_our_order(name, value), atol=1e-14, rtol=0)
    return output
