"""What backbones share whose latent variable is a vector under a standard-normal prior."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer


def draw_standard(
    layer: Layer, posterior: Gaussian | None, draw: Draw, noise: Tensor, mask: Tensor | None = None
) -> Latent:
    """A latent layer whose prior is standard normal.

    Args:
        layer: Which.
        posterior: q(z | x), elements [B, *S, z]; None to generate.
        draw: Chooses z.
        noise: Standard-normal numbers, [B, *S, z].
        mask: Positions that exist, [B, *S], bool; None for all.
    """
    prior = Gaussian(noise.new_zeros(noise.shape), noise.new_zeros(()))
    return Latent(layer, draw(prior, posterior, noise, layer), prior, posterior, mask, noise)


class ShownVector(nn.Module):
    """One latent vector under a standard-normal prior, shown at every position of a text.

    Args:
        latent: Numbers of the vector.
        width: Channels of the features.
        project: Whether a linear map makes the features of z; without, they are z itself.

    Raises:
        ValueError: If without a map ``width`` is not ``latent``.
    """

    def __init__(self, latent: int, width: int, project: bool = True) -> None:
        super().__init__()
        if not project and width != latent:
            raise ValueError(
                f"without model.backbone.init_args.project the features are z: set width to latent, {latent}, "
                f"got {width}"
            )
        self.layer = Layer(0, "z", (latent,))
        self.decode = nn.Linear(latent, width) if project else nn.Identity()

    def forward(
        self, posterior: Gaussian | None, shape: Sequence[int], draw: Draw, noise: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, list[Latent]]:
        """Features, [B, L, width], the same at each position, and the latent layer.

        Args:
            posterior: q(z | x), elements [B, latent]; None to generate.
            shape: [B, L].
            draw: Chooses z.
            noise: Standard-normal numbers, [B, latent].
            dtype: Of the features.
        """
        latent = draw_standard(self.layer, posterior, draw, noise)
        return self.decode(latent.z.to(dtype)).unsqueeze(1).expand(-1, shape[1], -1), [latent]


def text_only(shape: Sequence[int | None], backbone: str) -> None:
    """Refuse positions that are not those of a text.

    Raises:
        ValueError: If they are a picture's.
    """
    if len(shape) != 1:
        raise ValueError(
            f"{backbone} reads text [L], but the head has positions {list(shape)}: change model.backbone "
            f"(for pictures: lit_vae.backbones.ConvVAE) or data"
        )


def at_least_one(**numbers: int) -> None:
    """Refuse arguments of a backbone that do not count up from 1.

    Raises:
        ValueError: If there is one.
    """
    if wrong := {name: number for name, number in numbers.items() if number < 1}:
        listed = ", ".join(f"{name} {number}" for name, number in wrong.items())
        raise ValueError(f"numbers of model.backbone.init_args count up from 1, got {listed}")


def check_parts(**parts: float) -> None:
    """Refuse arguments of a backbone that are no parts of a whole.

    Raises:
        ValueError: If one is not in [0, 1).
    """
    for name, part in parts.items():
        if not 0 <= part < 1:
            raise ValueError(f"model.backbone.init_args.{name} is a part, at least 0 and below 1, got {part}")
