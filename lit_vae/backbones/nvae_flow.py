"""The flow after NVAE's posterior: each latent variable shifted by what the ones before it say."""

import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from lit_vae.backbones.nvae_cells import NormedConv2d
from lit_vae.distributions import at_least_float32
from lit_vae.distributions.precision import without_autocast

EXPANSION = 6
"""Hidden channels to a channel of z."""


class Shift(nn.Module):
    """z - m(z), where m at a position and channel knows only what comes earlier: positions row by row, then channels.

    Its Jacobian is triangular with ones on the diagonal, so that it preserves volume.

    Args:
        latent: Channels of z.
        mirrored: Whether earlier positions are those behind, from the last row up; channels keep their order.
    """

    def __init__(self, latent: int, mirrored: bool) -> None:
        super().__init__()
        hidden = EXPANSION * latent
        before = channels_before(hidden, latent, strictly=True)
        self.gather = NormedConv2d(latent, hidden, 3, bias=False, mask=causal(before, 3, mirrored))
        self.spread = NormedConv2d(
            hidden, hidden, 5, groups=hidden, bias=False, mask=causal(torch.ones(hidden, 1), 5, mirrored)
        )
        upto = channels_before(latent, hidden, strictly=False)
        self.mean = NormedConv2d(hidden, latent, 1, mask=causal(upto, 1, mirrored))

    def shift(self, z: Tensor) -> Tensor:
        """m(z), [B, z, H, W]."""
        return self.mean(elu(elu(self.spread(elu(self.gather(z))))))

    def forward(self, z: Tensor) -> Tensor:
        """Same shape, [B, z, H, W]."""
        return z - self.shift(z)

    def inverse(self, image: Tensor) -> Tensor:
        """What has the image: each pass settles at least one more variable, so that as many as there are suffice."""
        z = image
        for _ in range(image[0].numel()):
            before, z = z, image + self.shift(z)
            if torch.equal(z, before):
                break
        return z


class VolumePreservingFlow(nn.Module):
    """Pairs of shifts, one in reading order and one against it. In float32 or better, whatever the weights are.

    Args:
        latent: Channels of z.
        pairs: How many.

    Source:
        Vahdat & Kautz, 2020, https://arxiv.org/abs/2007.03898; the context features that its cells are handed but
        do not use are left out.
    """

    def __init__(self, latent: int, pairs: int) -> None:
        super().__init__()
        self.shifts = nn.ModuleList(Shift(latent, mirrored) for _ in range(pairs) for mirrored in (False, True))

    def forward(self, z: Tensor) -> Tensor:
        """The image of z, [B, H, W, z]."""
        z = at_least_float32(z).movedim(-1, 1)
        with without_autocast(z.device):
            for shift in self.shifts:
                z = shift(z)
        return z.movedim(1, -1)

    def inverse(self, z: Tensor) -> Tensor:
        """What has the image z, [B, H, W, z]."""
        z = at_least_float32(z).movedim(-1, 1)
        with without_autocast(z.device):
            for shift in reversed(self.shifts):
                assert isinstance(shift, Shift)
                z = shift.inverse(z)
        return z.movedim(1, -1)


def channels_before(outputs: int, inputs: int, strictly: bool) -> Tensor:
    """Which inputs each output sees at its own position, [outputs, inputs], 0 or 1.

    The wider side consists of equal blocks, one to a channel of the narrower.

    Args:
        outputs: Channels.
        inputs: Channels; a multiple or a divisor of ``outputs``.
        strictly: Whether a channel's own block is hidden from it.
    """
    channels = min(outputs, inputs)
    of_output = torch.arange(outputs) // (outputs // channels)
    of_input = torch.arange(inputs) // (inputs // channels)
    last = of_output - 1 if strictly else of_output
    return (of_input <= last.unsqueeze(1)).float()


def causal(centre: Tensor, kernel_size: int, mirrored: bool) -> Tensor:
    """Which weights see only what comes earlier, [outputs, inputs, k, k], 0 or 1.

    Args:
        centre: Of the position itself, [outputs, inputs].
        kernel_size: k, odd.
        mirrored: Whether earlier positions are those behind.
    """
    middle = kernel_size**2 // 2
    mask = torch.zeros(*centre.shape, kernel_size**2)
    mask[..., :middle] = 1
    if mirrored:
        mask = mask.flip(-1)
    mask[..., middle] = centre
    return mask.unflatten(-1, (kernel_size, kernel_size))
