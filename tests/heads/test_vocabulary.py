"""The projection to the vocabulary: one softmax, or one in two steps, and each a likelihood."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lit_vae.heads.vocabulary import VocabularyProjection

WIDTH, VALUES, TOKENS = 6, 13, 40
CUTOFFS = [[1], [4], [3, 8], [1, 2, 12]]


def projection_of(cutoffs=None, table=None) -> VocabularyProjection:
    torch.manual_seed(0)
    projection = VocabularyProjection(WIDTH, VALUES, table, cutoffs)
    for parameter in projection.parameters():
        nn.init.normal_(parameter)
    return projection


def inputs():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(TOKENS, WIDTH, generator=generator), torch.arange(TOKENS) % VALUES


@torch.no_grad()
@pytest.mark.parametrize("cutoffs", [None, *CUTOFFS])
def test_the_vocabulary_shares_one_unit_of_mass_and_each_token_pays_its_own(cutoffs):
    projection, (hidden, ids) = projection_of(cutoffs).double(), inputs()

    log_probs = projection.logits(hidden.double()).log_softmax(-1)

    nats = projection.nats(hidden.double(), ids)
    torch.testing.assert_close(nats, -log_probs.gather(-1, ids.unsqueeze(-1)).squeeze(-1))


@torch.no_grad()
@pytest.mark.parametrize("cutoffs", CUTOFFS)
def test_the_scores_of_clusters_are_normalised_as_they_are(cutoffs):
    log_probs = projection_of(cutoffs).logits(inputs()[0])

    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(TOKENS))


@torch.no_grad()
@pytest.mark.parametrize("cutoffs", [[4], [3, 8]])
def test_clusters_are_the_adaptive_softmax_of_torch(cutoffs):
    projection, (hidden, ids) = projection_of(cutoffs), inputs()
    adaptive = nn.AdaptiveLogSoftmaxWithLoss(WIDTH, VALUES, cutoffs, div_value=1.0, head_bias=True)
    edges = [*cutoffs, VALUES]
    by_rank, bias = projection.table.roll(1, 0), projection.bias.roll(1, 0)
    bias[cutoffs[0] :] = 0  # torch's rare tokens have none
    projection.bias.copy_(bias.roll(-1, 0))
    adaptive.head.weight.copy_(torch.cat([by_rank[: cutoffs[0]], projection.clusters.rows]))
    adaptive.head.bias.copy_(torch.cat([bias[: cutoffs[0]], projection.clusters.bias]))
    for number, tail in enumerate(adaptive.tail):
        nn.init.eye_(tail[0].weight)
        tail[1].weight.copy_(by_rank[edges[number] : edges[number + 1]])

    nats = projection.nats(hidden, ids)

    torch.testing.assert_close(-nats, adaptive(hidden, (ids + 1) % VALUES).output)


@pytest.mark.parametrize("cutoffs", [None, [3, 8]])
def test_the_gradient_is_that_of_the_scores(cutoffs):
    projection, (hidden, ids) = projection_of(cutoffs).double(), inputs()
    hidden = hidden.double().requires_grad_()
    learned = [hidden, *projection.parameters()]

    direct = torch.autograd.grad(projection.nats(hidden, ids).sum(), learned)

    plain = torch.autograd.grad(cross_entropy(projection.logits(hidden), ids, reduction="sum"), learned)
    torch.testing.assert_close(direct, plain)


def test_a_cluster_in_which_nothing_falls_has_a_gradient_of_zero():
    projection = projection_of([4, 8])

    projection.nats(inputs()[0][:5], torch.zeros(5, dtype=torch.int64)).sum().backward()

    assert all(parameter.grad is not None for parameter in projection.parameters())
    assert projection.table.grad[7:-1].abs().sum() == 0


@pytest.mark.parametrize("cutoffs", [[], [0, 4], [4, 4], [8, 3], [13]])
def test_cutoffs_that_cut_nothing_name_their_key(cutoffs):
    with pytest.raises(ValueError, match=r"model\.head\.init_args\.cutoffs.*13"):
        projection_of(cutoffs)


@pytest.mark.parametrize("cutoffs", [None, [3, 8]])
def test_a_tied_table_is_the_embedding_of_every_token(cutoffs):
    embedding = nn.Embedding(VALUES, WIDTH)
    projection = VocabularyProjection(WIDTH, VALUES, embedding.weight, cutoffs)
    hidden, ids = inputs()

    projection.nats(hidden, ids).sum().backward()

    assert projection.table is embedding.weight
    assert (embedding.weight.grad.abs().sum(1) > 0).all()
