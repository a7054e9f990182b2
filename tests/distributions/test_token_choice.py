"""A token is chosen as its distribution, cut as asked, has it."""

import pytest
import torch
from scipy.stats import chisquare

from lit_vae.decoding import Decoding
from lit_vae.distributions import token_choice
from lit_vae.distributions.token_choice import choose_token, nucleus, relative_masses

VALUES = 300
"""More than two blocks, and no multiple of one."""


def logits_of(rows: int, seed: int = 0, values: int = VALUES) -> torch.Tensor:
    return 2.0 * torch.randn(rows, values, generator=torch.Generator().manual_seed(seed))


def uniforms(rows: int) -> torch.Tensor:
    return (torch.arange(rows) + 0.5) / rows


def test_a_uniform_number_falls_to_the_token_of_its_cumulative_mass():
    logits, uniform = logits_of(64), uniforms(64)

    chosen = choose_token(logits, Decoding(), uniform)

    probabilities = logits.double().softmax(-1)
    upper, mass = (
        column.gather(-1, chosen.unsqueeze(-1)).squeeze(-1) for column in (probabilities.cumsum(-1), probabilities)
    )
    rounding = 1e-6  # of masses in float32
    assert (upper - mass - rounding <= uniform).all()
    assert (uniform <= upper + rounding).all()


def test_evenly_spread_numbers_give_each_token_its_share():
    logits, draws = logits_of(1, values=9), 20_000

    chosen = choose_token(logits.expand(draws, -1), Decoding(temperature=0.7), uniforms(draws))

    shares = (logits[0].double() / 0.7).softmax(-1) * draws
    assert chisquare(chosen.bincount(minlength=9), shares).pvalue > 0.999


@pytest.mark.parametrize("k", [1, 2, 7, VALUES, 2 * VALUES])
def test_top_k_chooses_among_the_most_probable_in_their_proportions(k):
    logits, draws = logits_of(1), 5000
    kept = logits[0].topk(min(k, VALUES)).indices

    chosen = choose_token(logits.expand(draws, -1), Decoding(top_k=k), uniforms(draws))

    shares = torch.zeros(VALUES, dtype=torch.float64).index_copy(0, kept, logits[0, kept].double().softmax(-1))
    assert chosen.bincount(minlength=VALUES) == pytest.approx(shares * draws, abs=2)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.9, 0.9999])
def test_a_nucleus_is_the_smallest_set_that_has_the_mass(part):
    masses = relative_masses(logits_of(20), 1.0)

    least = nucleus(masses, part)

    probabilities = masses.double() / masses.double().sum(-1, keepdim=True)
    inside = masses >= least
    mass = (probabilities * inside).sum(-1)
    smallest = torch.where(inside, probabilities, 1.0).amin(-1)
    assert (mass >= part - 1e-9).all()
    assert (mass - smallest < part).all()


def test_a_nucleus_is_found_however_many_tokens_it_takes():
    flat = relative_masses(0.01 * logits_of(3, values=5000), 1.0)

    inside = (flat >= nucleus(flat, 0.9)).sum(-1)

    assert (inside - 4500).abs().max() < 60


@pytest.mark.parametrize("decoding", [Decoding(top_p=0.6), Decoding(top_k=3), Decoding(top_k=5, top_p=0.5)])
def test_what_is_cut_away_is_never_chosen(decoding):
    logits, draws = logits_of(1), 2000
    order = logits[0].argsort(descending=True)
    cumulative = logits[0, order].double().softmax(-1)
    if decoding.top_k is not None:
        cumulative = cumulative[: decoding.top_k] / cumulative[: decoding.top_k].sum()
    kept = len(cumulative) if decoding.top_p is None else int((cumulative.cumsum(-1) < decoding.top_p).sum()) + 1

    chosen = choose_token(logits.expand(draws, -1), decoding, uniforms(draws))

    assert set(chosen.tolist()) == set(order[:kept].tolist())


@pytest.mark.parametrize("uniform", [2.0**-25, 0.5, 1 - 2.0**-24])
def test_a_token_without_mass_is_never_chosen_at_the_edges(uniform):
    logits = torch.zeros(1, VALUES)
    logits[0, [130, 200]] = 50.0

    chosen = choose_token(logits, Decoding(top_k=2), torch.tensor([uniform]))

    assert chosen.item() in (130, 200)


def test_scores_far_apart_stay_finite():
    logits = torch.tensor([[1e6, 1e6, -1e6, 0.0]])

    chosen = choose_token(logits.expand(4, -1), Decoding(temperature=1e-6), uniforms(4))

    assert chosen.tolist() == [0, 0, 1, 1]


def test_the_choice_of_a_row_does_not_depend_on_the_others(monkeypatch):
    monkeypatch.setattr(token_choice, "BLOCK", 16)
    logits, uniform, decoding = logits_of(8).double(), uniforms(8), Decoding(temperature=0.8, top_p=0.7)
    logits[3] *= 0.01

    together = choose_token(logits, decoding, uniform)

    alone = torch.cat([choose_token(logits[i : i + 1], decoding, uniform[i : i + 1]) for i in range(8)])
    assert torch.equal(together, alone)
