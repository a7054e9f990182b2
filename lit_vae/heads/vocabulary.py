"""The projection from a hidden state to the vocabulary: the costly part of every token head."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from lit_vae.distributions import at_least_float32
from lit_vae.heads.linear_cross_entropy import linear_cross_entropy


class VocabularyProjection(nn.Module):
    """Scores of each token, and -log p of the one that came.

    Args:
        width: Channels of the hidden state.
        num_values: Size of the vocabulary.
        table: The parameter of an embedding [num_values, embed_width] to share (tied weights); where ``embed_width`` is
            not ``width``, a linear map leads from one to the other. None for a table of its own.

    Source:
        Tied tables: Press & Wolf, 2017, https://arxiv.org/abs/1608.05859.
    """

    def __init__(self, width: int, num_values: int, table: Tensor | None = None) -> None:
        super().__init__()
        if table is None:
            table = nn.Parameter(torch.randn(num_values, width) * width**-0.5)
        self.table = table
        self.bias = nn.Parameter(torch.zeros(num_values))
        bridged = table.shape[1] != width
        self.bridge = nn.Linear(width, table.shape[1], bias=False) if bridged else nn.Identity()

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of each token, [*, num_values], float32 or better.

        Args:
            hidden: [*, width].
        """
        hidden = self.bridge(hidden.to(self.table.dtype))
        return at_least_float32(linear(hidden, self.table, self.bias))

    def nats(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """-log p of each token, [N], float32 or better.

        Args:
            hidden: [N, width].
            ids: [N], int64.
        """
        return linear_cross_entropy(self.bridge(hidden.to(self.table.dtype)), self.table, self.bias, ids)
