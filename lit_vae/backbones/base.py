"""What every backbone is: features to features through latent layers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lit_vae.latents import Draw, Latent, Layer
from lit_vae.symbols import Symbols


class Backbone(nn.Module, ABC):
    """A bottom-up pass that reads an example and a top-down pass that writes one, latent layers between them.

    Features are channels-last, [B, *S, width]: positions S are (H, W) for images, (L,) for text. Every backbone accepts
    the linked arguments ``embed_width`` and ``shape`` (the command line fills them from the head) and an argument
    ``width`` of its own (the command line hands it to the head).

    Args:
        width: Channels of the features handed to the head.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def layers(self, shape: Sequence[int]) -> list[Layer]:
        """The latent layers of one example, top first; empty for a model without latents.

        Args:
            shape: Positions of one example, S.
        """

    def check_data(self, symbols: Symbols) -> None:  # most backbones read whatever has their shape
        """Refuse data that the backbone cannot read, before anything is trained.

        Args:
            symbols: What the data's integers stand for.

        Raises:
            ValueError: If it cannot.
        """

    @abstractmethod
    def bottom_up(self, features: Tensor, mask: Tensor | None) -> Any:
        """All that the posteriors will need of an example: the context that :meth:`top_down` takes.

        Args:
            features: The head's embedding of the example, [B, *S, embed_width].
            mask: Positions that exist, [B, *S], bool; None for all.
        """

    @abstractmethod
    def top_down(
        self,
        context: Any | None,
        shape: Sequence[int],
        draw: Draw,
        noise: Sequence[Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, list[Latent]]:
        """Features for the head, [B, *S, width], and the latent layers on the way, top first.

        Where the network works on a larger picture, with a margin of the same width on all sides, the features may keep
        it: a head for pictures convolves them as they are, and leaves the margin out.

        No feature may depend on the number of positions a text has: then the bound would be conditional on length.

        Args:
            context: What :meth:`bottom_up` returned; None to generate.
            shape: Batch and positions, [B, *S].
            draw: Chooses z at each layer.
            noise: Standard-normal numbers for each layer, top first, each [B, *layer.shape].
            mask: Positions that exist, [B, *S], bool; None for all.
        """
