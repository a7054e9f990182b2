"""Texts are drawn up to their end, and a search finds the most probable."""

import itertools

import pytest
import torch

from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions import AutoregressiveTokens, FactorizedTokens
from lit_vae.noise import IndexedNoise, StreamNoise

VALUES, LENGTH, END = 4, 4, 3


class PreviousPairs:
    """Hidden states that are functions of the two tokens before and of the text's features."""

    def __init__(self, features):
        self.features = features
        generator = torch.Generator().manual_seed(0)
        self.table = 1.5 * torch.randn(VALUES + 1, VALUES + 1, VALUES, generator=generator)

    device = torch.device("cpu")

    def forced(self, ids):
        state, hidden = self.start(), []
        for position in range(ids.shape[1]):
            step, state = self.advance(state, position, ids[:, position - 1] if position else None)
            hidden.append(step)
        return torch.stack(hidden, 1)

    def start(self):
        return self.features, torch.full((len(self.features), 2), VALUES)

    def advance(self, state, position, previous):
        features, pair = state
        if previous is not None:
            pair = torch.stack([pair[:, 1], previous], 1)
        return self.table[pair[:, 0], pair[:, 1]] + features[:, position], (features, pair)

    def select(self, state, rows):
        return state[0][rows], state[1][rows]


class Identity:
    def logits(self, hidden):
        return hidden

    def nats(self, hidden, ids):
        return -hidden.log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)


def distribution_of(texts, seed=1):
    features = torch.randn(texts, LENGTH, VALUES, generator=torch.Generator().manual_seed(seed))
    return AutoregressiveTokens(PreviousPairs(features), Identity(), texts, LENGTH, None)


def every_text():
    """All texts, what follows an end repeating it, and how many of their tokens count."""
    texts = {}
    for ids in itertools.product(range(VALUES), repeat=LENGTH):
        length = ids.index(END) + 1 if END in ids else LENGTH
        texts[ids[:length]] = (*ids[:length], *[END] * (LENGTH - length))
    return torch.tensor(list(texts.values())), torch.tensor([len(ids) for ids in texts])


def log_probs_of_ended(distribution, ids, lengths):
    steps = distribution.logits(ids).log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return (steps * (torch.arange(LENGTH) < lengths.unsqueeze(1))).sum(1)


@pytest.mark.parametrize("wider", [1, 3])
@pytest.mark.parametrize("end", [END, None])
def test_a_search_as_wide_as_all_texts_ranks_them_all_and_no_others(end, wider):
    if end is None:
        ids = torch.tensor(list(itertools.product(range(VALUES), repeat=LENGTH)))
        lengths = torch.full((len(ids),), LENGTH)
    else:
        ids, lengths = every_text()
    features = torch.randn(2, LENGTH, VALUES, generator=torch.Generator().manual_seed(1))
    distribution = AutoregressiveTokens(PreviousPairs(features), Identity(), 2, LENGTH, None)

    found, log_prob = distribution.search(beams=wider * len(ids), end=end)

    for text in range(2):
        one = AutoregressiveTokens(
            PreviousPairs(features[text].expand(len(ids), -1, -1)), Identity(), len(ids), LENGTH, None
        )
        expected = dict(zip(map(tuple, ids.tolist()), log_probs_of_ended(one, ids, lengths).tolist(), strict=True))
        ranked = list(map(tuple, found[text].tolist()))
        assert sorted(ranked) == sorted(expected)
        assert log_prob[text].tolist() == pytest.approx([expected[ids] for ids in ranked], rel=1e-5)
        assert (log_prob[text].diff() <= 0).all()


def test_a_search_scores_what_it_finds_and_never_names_a_text_twice():
    distribution = distribution_of(3)

    found, log_prob = distribution.search(beams=5)

    for beam in range(5):
        torch.testing.assert_close(distribution.log_prob(found[:, beam]), log_prob[:, beam].float())
    assert (log_prob.diff(dim=1) <= 0).all()
    assert all(len(texts.unique(dim=0)) == 5 for texts in found)


def test_a_search_with_one_beam_is_greedy_and_with_more_at_least_as_good():
    distribution = distribution_of(16)

    scores = [distribution.log_prob(distribution.draw(Decoding(beams=k), StreamNoise(0))) for k in (1, 3, 64)]

    assert torch.equal(distribution.draw(Decoding(beams=1), StreamNoise(0)), distribution.mode)
    assert (scores[2] >= scores[0] - 1e-6).all()
    assert (scores[2] >= scores[1] - 1e-6).all()
    assert scores[2].sum() > scores[0].sum()


def test_a_search_of_one_text_does_not_see_the_others():
    together = distribution_of(5).search(beams=3, end=END)

    network = PreviousPairs(torch.randn(5, LENGTH, VALUES, generator=torch.Generator().manual_seed(1))[2:3])
    alone = AutoregressiveTokens(network, Identity(), 1, LENGTH, None).search(beams=3, end=END)

    assert torch.equal(together[0][2:3], alone[0])


def test_an_end_cuts_a_draw_and_changes_nothing_before_it():
    distribution, index = distribution_of(200), torch.arange(200)

    whole = distribution.draw(Decoding(), IndexedNoise(index))
    cut = distribution.draw(Decoding(end=END), IndexedNoise(index))

    over = (whole == END).cumsum(1) > 0
    assert 0 < over.sum() < over.numel()
    assert torch.equal(cut, torch.where(over, END, whole))


@pytest.mark.parametrize("decoding", [Decoding(end=END), Decoding(top_p=0.8, end=END), Decoding(0.0, end=END)])
def test_a_cut_draw_depends_on_neither_batch_size_nor_order(decoding):
    features = torch.randn(40, LENGTH, VALUES, generator=torch.Generator().manual_seed(3))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(4))

    def draw(rows):
        network = PreviousPairs(features[rows])
        return AutoregressiveTokens(network, Identity(), len(rows), LENGTH, None).draw(decoding, IndexedNoise(rows))

    together = draw(torch.arange(40))

    assert torch.equal(together[order], draw(order))
    assert torch.equal(together[7:8], draw(torch.tensor([7])))


def test_independent_tokens_are_cut_and_searched_alike():
    features = torch.randn(6, LENGTH, VALUES, generator=torch.Generator().manual_seed(5))
    distribution = FactorizedTokens(features, Identity(), None)

    cut = distribution.draw(Decoding(0.0, end=END), StreamNoise(0))

    over = (distribution.mode == END).cumsum(1) > 0
    assert torch.equal(cut, torch.where(over, END, distribution.mode))
    assert torch.equal(distribution.draw(Decoding(beams=4), StreamNoise(0)), distribution.draw(GREEDY, StreamNoise(0)))
