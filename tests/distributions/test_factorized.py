import math

import mpmath
import pytest
import torch
from mpmath import mpf
from scipy import stats

from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions.factorized import BernoulliPixels, BetaBinomialPixels, CategoricalPixels
from lit_vae.noise import StreamNoise


def distribution(name, num_values, batch=1, dtype=torch.float32, mask=None):
    """Of random pictures [2, 1, 3]."""
    generator = torch.Generator().manual_seed(num_values)
    per_symbol = {"categorical": num_values, "bernoulli": 1, "beta_binomial": 2}[name]
    raw = 2 * torch.randn(batch, 1, 3, 2 * per_symbol, generator=generator, dtype=dtype)
    if name == "bernoulli":
        return BernoulliPixels(raw, mask)
    kind = CategoricalPixels if name == "categorical" else BetaBinomialPixels
    return kind(raw, num_values, mask)


CASES = [
    ("categorical", 2),
    ("categorical", 17),
    ("categorical", 65536),
    ("bernoulli", 2),
    ("beta_binomial", 2),
    ("beta_binomial", 17),
    ("beta_binomial", 256),
]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("name", "num_values"), CASES)
def test_masses_of_each_symbol_sum_to_one(name, num_values, dtype, tolerance):
    table = distribution(name, num_values, dtype=dtype).table()

    assert table.dtype == dtype
    assert (table.double().exp().sum(-1) - 1).abs().max() < tolerance


@pytest.mark.parametrize("extreme", [(-15.0, -15.0), (8.0, 8.0), (-15.0, 8.0), (1e4, -1e4)])
def test_beta_binomial_masses_sum_to_one_at_the_ends_of_its_parameters(extreme):
    table = BetaBinomialPixels(torch.tensor(extreme, dtype=torch.float64).view(1, 1, 1, 2), 256).table()

    assert abs(table.exp().sum() - 1) < 1e-10


@pytest.mark.parametrize(("name", "num_values"), [case for case in CASES if case[1] < 1000])
def test_log_prob_is_the_sum_of_the_table_where_observed(name, num_values):
    codes = torch.randint(0, num_values, (1, 2, 1, 3), generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, False, True], [False, True, True]]).view(1, 2, 1, 3)

    log_prob = distribution(name, num_values, mask=mask).log_prob(codes.to(torch.uint8))

    terms = distribution(name, num_values).table().gather(-1, codes.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(log_prob, terms[mask].sum().view(1))


@pytest.mark.parametrize(("up", "down"), [(-3.0, 2.0), (0.0, 0.0), (7.5, 6.0)])
@pytest.mark.parametrize("num_values", [2, 17, 256])
def test_beta_binomial_agrees_with_sixty_digits(num_values, up, down):
    codes = torch.tensor([0, 1, num_values // 2, num_values - 1]).view(4, 1, 1, 1)
    raw = torch.tensor([up, down])

    log_prob = BetaBinomialPixels(raw.expand(4, 1, 1, 2), num_values).log_prob(codes)

    a, b, n = mpmath.exp(mpf(raw[0].item())), mpmath.exp(mpf(raw[1].item())), num_values - 1
    exact = [
        mpmath.binomial(n, k) * mpmath.beta(k + a, n - k + b) / mpmath.beta(a, b) for k in codes.flatten().tolist()
    ]
    expected = torch.tensor([float(mpmath.log(mass)) for mass in exact])
    torch.testing.assert_close(log_prob, expected, rtol=1e-5, atol=1e-6)


def test_gradients_of_a_beta_binomial_equal_finite_differences():
    raw = torch.tensor([[-2.0, 1.0], [3.0, 0.5]], dtype=torch.float64).view(2, 1, 1, 2).requires_grad_()
    codes = torch.tensor([4, 16]).view(2, 1, 1, 1)

    assert torch.autograd.gradcheck(lambda raw: BetaBinomialPixels(raw, 17).log_prob(codes), raw)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize(("name", "num_values"), [("categorical", 17), ("bernoulli", 2), ("beta_binomial", 17)])
def test_draws_follow_the_masses_to_the_power_of_one_over_the_temperature(name, num_values, temperature):
    one = distribution(name, num_values)
    draws = [one.draw(Decoding(temperature), StreamNoise(1, n)) for n in range(3000)]

    expected = (one.table() / temperature).softmax(-1)[0, 1, 0, 2].double() * len(draws)
    counts = torch.bincount(torch.stack(draws)[:, 0, 1, 0, 2].long(), minlength=num_values).double()
    rare = expected < 5
    pooled = [torch.cat([column[~rare], column[rare].sum(0, keepdim=True) + 1e-9]) for column in (counts, expected)]
    assert draws[0].dtype == torch.uint8
    assert stats.chisquare(*pooled, sum_check=False).pvalue > 1e-3


@pytest.mark.parametrize(("name", "num_values"), CASES)
def test_greedy_takes_the_heaviest_level(name, num_values):
    one = distribution(name, num_values)

    greedy = one.draw(GREEDY, StreamNoise(0))

    assert torch.equal(greedy.long(), one.table().argmax(-1))
    assert torch.equal(greedy, one.mode)
    assert greedy.dtype == (torch.uint8 if num_values <= 256 else torch.int32)


@pytest.mark.parametrize(("name", "num_values"), CASES)
def test_mean_and_entropy_are_sums_over_the_table(name, num_values):
    mask = torch.tensor([[True, False, True], [False, True, True]]).view(1, 2, 1, 3)
    one = distribution(name, num_values, dtype=torch.float64, mask=mask)
    p = one.table().exp()

    mean, entropy = one.mean, one.entropy()

    torch.testing.assert_close(mean, (p * torch.arange(num_values)).sum(-1))
    torch.testing.assert_close(entropy, -torch.xlogy(p, p).sum(-1)[mask].sum().view(1))


def test_a_certain_bernoulli_costs_nothing_and_is_finite_in_its_tail():
    codes = torch.tensor([[1], [0]]).view(2, 1, 1, 1)

    log_prob = BernoulliPixels(torch.full((2, 1, 1, 1), 1e4)).log_prob(codes)

    assert log_prob.tolist() == [0.0, -1e4]
    assert math.isfinite(BernoulliPixels(torch.full((1, 1, 1, 1), 1e4)).entropy().item())
