"""What every decoder head is: p(x | features), and the way in."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lit_vae.batch import Batch
from lit_vae.decoding import Decoding
from lit_vae.distributions import SymbolDistribution
from lit_vae.integers import refuse_outside
from lit_vae.noise import Noise
from lit_vae.symbols import Symbols


class DecoderHead(nn.Module, ABC):
    """Owns how symbols become features, how features become a distribution, and what its rate is called.

    Every head accepts the three linked arguments, which the command line fills: ``width`` from the backbone,
    ``num_values`` and ``shape`` from the data.

    Args:
        width: Channels of the features that the backbone hands over.
        num_values: Size of the alphabet.
        shape: Shape of one example, E; None stands for a text's length.

    Attributes:
        embed_width: Channels of :meth:`embed`.
        positions: S, the positions of the features: (H, W) for images, (None,) for text.
        rate_name: The entry of :meth:`report` that a progress bar shows, such as ``bits_per_dim``.
        per_example: The entry of :meth:`report` that is the nats of an example, if it has one. While a model trains,
            only ``nelbo`` is logged, which is the same number.
        symbols: What the field calls the symbols, in the plural: ``tokens``.
        data: The data it is for, a phrase.
        numbers: How many numbers describe a pixel or a token, a formula of C channels, K components, V values.
        when: When to use it, a phrase. The three make a row of ``python -m lit_vae heads``.
    """

    embed_width: int
    positions: tuple[int | None, ...]
    rate_name: str
    per_example: str = ""
    symbols: str = "symbols"
    data: str = ""
    numbers: str = ""
    when: str = ""

    def __init__(self, width: int, num_values: int, shape: Sequence[int | None]) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(
                f"the width of the features must be >= 1, got {width}: change model.backbone.init_args.width"
            )
        self.width = width
        self.num_values = num_values
        self.shape = tuple(shape)

    def check_batch(self, batch: Batch, values: bool = True) -> None:
        """Refuse a batch of other data than the head is for.

        Args:
            batch: What is encoded or scored.
            values: Whether the symbols are looked at, too, for which a GPU has to be waited for.

        Raises:
            ValueError: If examples have another shape, or hold symbols outside [0, num_values).
        """
        sizes = batch.x.shape[1:]
        same = len(sizes) == len(self.shape)
        if not same or any(own not in (None, size) for own, size in zip(self.shape, sizes, strict=True)):
            raise ValueError(
                f"{type(self).__name__} was made for examples of shape {list(self.shape)} (null for any length), got a "
                f"batch of shape {list(batch.x.shape)}: change data, or the shape that model.head is made for"
            )
        if values:
            refuse_outside(batch.x, self.num_values, f"what {type(self).__name__} reads")
            if len(batch) and int(batch.index.min()) < 0:
                raise ValueError(f"Batch.index must be >= 0, got {int(batch.index.min())}")

    @abstractmethod
    def embed(self, batch: Batch) -> Tensor:
        """Symbols as features, [B, *S, embed_width], float."""

    @abstractmethod
    def position_mask(self, mask: Tensor | None) -> Tensor | None:
        """Positions with something observed, [B, *S], bool, from a symbol mask [B, *E]; None for all."""

    @abstractmethod
    def forward(self, features: Tensor, mask: Tensor | None = None) -> SymbolDistribution:
        """p(x | features) of each example.

        Args:
            features: The backbone's features, [B, *S, width].
            mask: Observed symbols, [B, *E], bool; None for all.
        """

    @abstractmethod
    def report(self, nats: Tensor, examples: Tensor, symbols: Tensor, units: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A total of nats in the field's own units, each [].

        Args:
            nats: Sum over the examples, [].
            examples: Number of examples, [].
            symbols: Number of observed symbols, [].
            units: Totals of the other denominators: characters, bytes, words.
        """

    def check_data(self, symbols: Symbols) -> None:  # most heads write whatever has their shape
        """Refuse data that the head cannot write, before anything is trained.

        Args:
            symbols: What the data's integers stand for, of the head's ``num_values`` and ``shape``.

        Raises:
            ValueError: If it cannot.
        """

    def show(self, distribution: SymbolDistribution, decoding: Decoding, noise: Noise) -> Tensor:
        """What a person is shown for a distribution of this head, [B, *E], integer: a draw, unless a head says else."""
        return distribution.draw(decoding, noise)
