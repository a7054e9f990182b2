"""Tokens that are independent given the features: the latent variable must carry everything."""

from collections.abc import Sequence

from torch import Tensor

from lit_vae.distributions import FactorizedTokens
from lit_vae.heads.token import TokenHead
from lit_vae.heads.vocabulary import VocabularyProjection


class SoftmaxTokenHead(TokenHead):
    """A softmax over the vocabulary at each position: the cross-entropy of a parallel decoder.

    Args:
        width: Linked to the backbone.
        num_values: Linked to the data: size of the vocabulary.
        shape: Linked to the data: (None,).
        embed_width: Width of the embedding table.
        tied: Whether the output table is the embedding table.
        cutoffs: Of an adaptive softmax: ids at which the vocabulary is cut, rarer tokens above, such as
            ``[2000, 10000]``; null for one softmax over all.

    Raises:
        ValueError: If ``shape`` is no text, or ``cutoffs`` do not cut the vocabulary.
    """

    data = "tokens"
    numbers = "V"
    when = "all tokens at once; the latent has to carry everything"

    def __init__(
        self,
        width: int,
        num_values: int,
        shape: Sequence[int | None],
        embed_width: int = 128,
        tied: bool = True,
        cutoffs: list[int] | None = None,
    ) -> None:
        super().__init__(width, num_values, shape, embed_width)
        table = self.table.weight if tied else None
        self.projection = VocabularyProjection(width, num_values, table, cutoffs)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> FactorizedTokens:
        return FactorizedTokens(features, self.projection, mask)
