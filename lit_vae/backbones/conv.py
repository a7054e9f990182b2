"""A convolutional VAE with one latent vector."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

from lit_vae.backbones.base import Backbone
from lit_vae.backbones.convolutions import ResidualBlock, check_size, picture_size
from lit_vae.backbones.posteriors import GaussianPosterior, MakePosterior
from lit_vae.backbones.vectors import draw_standard
from lit_vae.distributions import Gaussian
from lit_vae.latents import Draw, Latent, Layer


class ConvVAE(Backbone):
    """Convolutions down to one latent vector and back, under a standard-normal prior. Pictures of any size.

    Which pixels are observed is ignored: the head shows a hidden one as mid-grey.

    Args:
        embed_width: Linked to the head.
        shape: Linked to the head: (H, W).
        width: Channels of every convolution, and of the features handed to the head.
        latent: Length of the latent vector.
        halvings: Times that the resolution is halved, odd sizes rounded up.
        depth: Residual blocks at each resolution, on either way.
        posterior: What makes the posterior of the smallest picture: ``GaussianPosterior``, ``BatchNormPosterior``,
            ``DeltaPosterior``.

    Raises:
        ValueError: If ``shape`` is no picture's, or a number is too small.
    """

    def __init__(
        self,
        embed_width: int,
        shape: Sequence[int | None],
        width: int = 64,
        latent: int = 32,
        halvings: int = 2,
        depth: int = 1,
        posterior: MakePosterior = GaussianPosterior,
    ) -> None:
        super().__init__(width)
        if min(width, latent, depth) < 1 or halvings < 0:
            raise ValueError(
                f"width, latent and depth of model.backbone.init_args count up from 1 and halvings from 0, "
                f"got {width}, {latent}, {depth} and {halvings}"
            )
        sizes = [picture_size(shape, "ConvVAE")]
        for _ in range(halvings):
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        self.sizes = sizes
        self.latent = latent
        smallest = width * sizes[-1][0] * sizes[-1][1]
        siblings = depth * len(sizes)
        self.encoder = nn.Sequential(nn.Conv2d(embed_width, width, 3, padding=1))
        for level in range(len(sizes)):
            self.encoder.extend(ResidualBlock(width, siblings) for _ in range(depth))
            if level < halvings:
                self.encoder.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
        self.posterior = posterior(smallest, latent)
        self.from_latent = nn.Linear(latent, smallest)
        self.decoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, siblings) for _ in range(depth))) for _ in sizes
        )

    def layers(self, shape: Sequence[int]) -> list[Layer]:
        return [Layer(0, "z", (self.latent,))]

    def bottom_up(self, features: Tensor, mask: Tensor | None) -> Gaussian:
        """The posterior of the latent vector, [B, latent]."""
        check_size(features.shape[1:-1], self.sizes[0], "ConvVAE")
        x = self.encoder(features.movedim(-1, 1))
        return self.posterior(gelu(x).flatten(1))

    def top_down(
        self,
        context: Gaussian | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        check_size(shape[1:], self.sizes[0], "ConvVAE")
        (layer,) = self.layers(shape[1:])
        latent = draw_standard(layer, context, draw, noise[0])
        x = self.from_latent(latent.z.to(self.from_latent.weight.dtype)).view(shape[0], self.width, *self.sizes[-1])
        for blocks, size in zip(self.decoder, reversed(self.sizes), strict=True):
            x = blocks(interpolate(x, size, mode="nearest-exact"))
        return x.movedim(1, -1), [latent]
