"""The projection from a hidden state to the vocabulary: the costly part of every token head."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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
        cutoffs: Where the vocabulary is cut into the frequent tokens and clusters of rarer ones, counting the last,
            the end symbol, first, and then the others in the order of their ids: log p of a rare token is that of its
            cluster, chosen beside the frequent tokens, plus its own in the cluster, so that most rows of the table are
            seldom read. Exact in any order; fast where low ids are frequent, as they are in order of first occurrence,
            too. None for one softmax over all.

    Raises:
        ValueError: If ``cutoffs`` do not cut the vocabulary.

    Source:
        Tied tables: Press & Wolf, 2017, https://arxiv.org/abs/1608.05859. Clusters: the adaptive softmax, Grave et al.,
        2017, https://arxiv.org/abs/1609.04309; here the rare tokens' rows are as wide as the others', which leaves them
        tied.
    """

    def __init__(
        self,
        width: int,
        num_values: int,
        table: Tensor | None = None,
        cutoffs: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if table is None:
            table = nn.Parameter(torch.randn(num_values, width) * width**-0.5)
        self.table = table
        self.bias = nn.Parameter(torch.zeros(num_values))
        bridged = table.shape[1] != width
        self.bridge = nn.Linear(width, table.shape[1], bias=False) if bridged else nn.Identity()
        self.clusters = None if cutoffs is None else Clusters(table.shape[1], num_values, cutoffs)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of each token, [*, num_values], float32 or better.

        Args:
            hidden: [*, width].
        """
        hidden = self.bridge(hidden.to(self.table.dtype))
        if self.clusters is not None:
            return self.clusters.log_probs(hidden, self.table, self.bias)
        return at_least_float32(linear(hidden, self.table, self.bias))

    def nats(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """-log p of each token, [N], float32 or better.

        Args:
            hidden: [N, width].
            ids: [N], int64.
        """
        hidden = self.bridge(hidden.to(self.table.dtype))
        if self.clusters is not None:
            return self.clusters.nats(hidden, self.table, self.bias, ids)
        return linear_cross_entropy(hidden, self.table, self.bias, ids)


class Clusters(nn.Module):
    """A softmax in two steps: over the frequent tokens and the clusters of rarer ones, then within the cluster.

    Args:
        width: Channels of the table's rows.
        num_values: Size of the vocabulary.
        cutoffs: As :class:`VocabularyProjection` has them.

    Raises:
        ValueError: If ``cutoffs`` do not cut the vocabulary.
    """

    def __init__(self, width: int, num_values: int, cutoffs: Sequence[int]) -> None:
        super().__init__()
        edges = [0, *cutoffs, num_values]
        if len(edges) < 3 or any(below >= above for below, above in pairwise(edges)):
            raise ValueError(
                f"model.head.init_args.cutoffs rise from 1 or more to less than the vocabulary's {num_values}, "
                f"got {list(cutoffs)}"
            )
        self.cutoffs = list(cutoffs)
        self.num_values = num_values
        self.rows = nn.Parameter(torch.randn(len(cutoffs), width) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(len(cutoffs)))

    def nats(self, hidden: Tensor, table: Tensor, bias: Tensor, ids: Tensor) -> Tensor:
        """-log p of each token, [N], float32 or better.

        Args:
            hidden: [N, width].
            table: [num_values, width].
            bias: [num_values].
            ids: [N], int64.
        """
        (frequent, frequent_bias), *rest = self._parts(table, bias)
        ranks = (ids + 1) % self.num_values
        cluster = torch.bucketize(ranks, ranks.new_tensor(self.cutoffs), right=True)
        first = torch.where(cluster == 0, ranks, self.cutoffs[0] - 1 + cluster)
        nats = linear_cross_entropy(hidden, frequent, frequent_bias, first)
        for number, (rows, row_bias) in enumerate(rest, 1):
            inside = (cluster == number).nonzero().squeeze(1)
            within = ranks[inside] - self.cutoffs[number - 1]
            nats = nats.index_add(0, inside, linear_cross_entropy(hidden[inside], rows, row_bias, within))
        return nats

    def log_probs(self, hidden: Tensor, table: Tensor, bias: Tensor) -> Tensor:
        """log p of each token, [*, num_values], float32 or better; arguments as in :meth:`nats`."""
        (frequent, frequent_bias), *rest = self._parts(table, bias)
        first = at_least_float32(linear(hidden, frequent, frequent_bias)).log_softmax(-1)
        end, others, clusters = first.split([1, self.cutoffs[0] - 1, len(rest)], -1)
        rare = [
            mass.unsqueeze(-1) + at_least_float32(linear(hidden, rows, row_bias)).log_softmax(-1)
            for mass, (rows, row_bias) in zip(clusters.unbind(-1), rest, strict=True)
        ]
        return torch.cat([others, *rare, end], -1)

    def _parts(self, table: Tensor, bias: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Rows and biases of the frequent tokens (end symbol first, clusters last), then of each cluster."""
        edges = [1, *self.cutoffs, self.num_values]
        sizes = [above - below for below, above in pairwise(edges)] + [1]
        frequent, *rest, end = table.split(sizes)
        frequent_bias, *rest_bias, end_bias = bias.split(sizes)
        first = torch.cat([end, frequent, self.rows]), torch.cat([end_bias, frequent_bias, self.bias])
        return [first, *zip(rest, rest_bias, strict=True)]
