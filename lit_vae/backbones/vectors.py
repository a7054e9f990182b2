"""What backbones share whose latent variable is a vector under a standard-normal prior."""

from collections.abc import Sequence

from torch import Tensor

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
    return Latent(layer, draw(prior, posterior, noise, layer), prior, posterior, mask)


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
