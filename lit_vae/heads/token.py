"""The way in and the units that every head for text shares."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lit_vae.batch import Batch
from lit_vae.decoding import Decoding
from lit_vae.distributions import SymbolDistribution
from lit_vae.heads.base import DecoderHead
from lit_vae.noise import Noise

LN2 = math.log(2.0)


class TokenHead(DecoderHead):
    """A head for text [L] over an unordered vocabulary, start symbol and padding no part of it.

    A text of open length has an end symbol, the last of the vocabulary; one of fixed length has none.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: size of the vocabulary.
        shape: Linked to the data: (None,), or (L,) where all texts are as long.
        embed_width: Width of the embedding table that the encoder reads.

    Raises:
        ValueError: If ``shape`` is no text.
    """

    rate_name = "nats_per_token"
    per_example = "nats_per_sentence"
    symbols = "tokens"

    def __init__(self, width: int, num_values: int, shape: Sequence[int | None], embed_width: int) -> None:
        super().__init__(width, num_values, shape)
        if len(self.shape) != 1:
            raise ValueError(
                f"{type(self).__name__} writes text [L], but the data has examples of shape {list(self.shape)}: "
                f"change model.head (for pictures: lit_vae.heads.LogisticPixelHead) or data"
            )
        self.embed_width = embed_width
        self.positions = self.shape
        self.table = self.new_table()

    def new_table(self) -> nn.Embedding:
        """An embedding of each token, [num_values, embed_width]."""
        table = nn.Embedding(self.num_values, self.embed_width)
        nn.init.normal_(table.weight, std=self.embed_width**-0.5)
        return table

    def embed(self, batch: Batch) -> Tensor:
        """The embedding of each token, [B, L, embed_width]; what the mask hides is the backbone's to skip."""
        return self.table(batch.x)

    def position_mask(self, mask: Tensor | None) -> Tensor | None:
        """Text has one symbol at each position, so the mask itself, [B, L]."""
        return mask

    def report(self, nats: Tensor, examples: Tensor, symbols: Tensor, units: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Nats per token and per sentence (per block where all texts have one length), perplexities, bits per unit.

        ``perplexity`` is per token and ``word_perplexity`` per word, whatever the tokens; the end symbols that the data
        has are counted in both denominators. For tokens that are words the two are one. Bits are per unit as the data
        calls it: ``bits_per_byte``, or ``bits_per_byte_lossy`` where its tokens do not tell all of the text.
        """
        per_token = nats / symbols
        found = {
            "nats_per_token": per_token,
            "nats_per_sentence" if None in self.shape else "nats_per_block": nats / examples,
            "perplexity": per_token.exp(),
        }
        found |= {f"bits_per_{unit}": nats / (count * LN2) for unit, count in units.items() if unit != "word"}
        if "word" in units:
            found["word_perplexity"] = (nats / units["word"]).exp()
        return found

    def show(self, distribution: SymbolDistribution, decoding: Decoding, noise: Noise) -> Tensor:
        """Texts up to their end symbol, which is repeated from there, [B, L], int64; of one length, none has an end."""
        end = self.num_values - 1 if None in self.shape else None
        return distribution.draw(dataclasses.replace(decoding, end=end), noise)


def check_parts(**parts: float) -> None:
    """Refuse dropouts, by the names of their arguments, that leave nothing.

    Raises:
        ValueError: If one is not in [0, 1).
    """
    for name, part in parts.items():
        if not 0 <= part < 1:
            raise ValueError(f"model.head.init_args.{name} is a part, at least 0 and below 1, got {part}")
