import itertools
import math

import exact
import mpmath
import pytest
import torch
from mpmath import mpf
from scipy import stats

from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions.discretized import log_mass
from lit_vae.distributions.families import Laplace, Logistic, Normal, StudentT
from lit_vae.distributions.grid import Grid
from lit_vae.distributions.mixture import DiscretizedMixture
from lit_vae.distributions.mixture_layout import MixtureLayout
from lit_vae.distributions.scales import ScaleLink
from lit_vae.noise import StreamNoise

FAMILIES = {"logistic": Logistic(), "normal": Normal(), "laplace": Laplace(), "cauchy": StudentT(1), "t": StudentT(4)}
LINK = ScaleLink("exp", floor=-9.0)


def random_raw(layout, seed, batch=1, centre=1.0, log_scales=(-9.0, 6.0), dtype=torch.float32):
    """Raw output of random pixels, [batch, 1, 1, P]; the first component is narrow, the last far outside the range."""
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(batch, 1, 1, layout.size, generator=generator, dtype=dtype)
    parts = layout.split(raw)
    parts.means.mul_(centre)
    parts.scales.uniform_(*log_scales, generator=generator)
    parts.scales[..., 0] = log_scales[0]
    if layout.components > 1:
        parts.means[..., -1] = -30.0
    return raw


def mixture(raw, layout, num_values, family="logistic", mask=None):
    return DiscretizedMixture(raw, layout, FAMILIES[family], num_values, LINK, mask=mask)


def all_pixels(num_values, channels):
    """[num_values ** channels, channels, 1, 1]."""
    levels = torch.arange(num_values)
    return torch.cartesian_prod(*[levels] * channels).view(-1, channels, 1, 1)


def masses(raw, layout, num_values, family="logistic"):
    """Mass of every value of one pixel, [num_values ** channels]."""
    pixels = all_pixels(num_values, layout.channels)
    return mixture(raw.expand(len(pixels), -1, -1, -1), layout, num_values, family).log_prob(pixels).exp()


SIZES = [(1, 2), (1, 256), (1, 65536), (3, 2), (3, 17), (4, 2)]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("components", [1, 5, 10])
@pytest.mark.parametrize(("channels", "num_values"), SIZES)
def test_masses_of_all_pixels_sum_to_one(channels, num_values, components, dtype, tolerance):
    layout = MixtureLayout(channels, components)
    raw = random_raw(layout, seed=components, dtype=dtype)

    total = masses(raw, layout, num_values).double().sum()

    assert abs(total - 1) < tolerance


def sum_of_masses(layout, num_values, family, dtype):
    raw = random_raw(layout, seed=layout.channels, dtype=dtype)
    parts = all_pixels(num_values, layout.channels).split(2**15)
    some = (
        mixture(raw.expand(len(part), -1, -1, -1), layout, num_values, family).log_prob(part).double().exp().sum()
        for part in parts
    )
    return sum(some).item()


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("autoregressive", [True, False])
@pytest.mark.parametrize("components", [1, 5, 10])
@pytest.mark.parametrize(("channels", "num_values"), [*SIZES, (1, 32), (3, 32), (4, 17)])
def test_masses_of_all_pixels_sum_to_one_for_every_family(channels, num_values, components, autoregressive, family):
    layout = MixtureLayout(channels, components, autoregressive=autoregressive)

    assert sum_of_masses(layout, num_values, family, torch.float32) == pytest.approx(1, abs=1e-5)
    assert sum_of_masses(layout, num_values, family, torch.float64) == pytest.approx(1, abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(("components", "family"), [(1, "normal"), (1, "t"), (10, "logistic")])
def test_masses_of_a_million_pixels_sum_to_one(components, family):
    assert sum_of_masses(MixtureLayout(4, components), 32, family, torch.float32) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("channels", "num_values"), [(3, 256), (4, 32), (3, 65536)])
def test_given_a_prefix_of_channels_the_masses_of_the_next_sum_to_one(channels, num_values, family):
    layout = MixtureLayout(channels, 5 if num_values < 1000 else 2)
    raw = random_raw(layout, seed=3, log_scales=(-9.0, 0.0))
    prefix = mixture(raw, layout, num_values, family).draw(Decoding(), StreamNoise(1))
    levels = torch.arange(num_values)
    known = channels - 1 if num_values > 1000 else 1
    pixels = prefix.expand(num_values, -1, -1, -1).int().clone()
    pixels[:, known, 0, 0] = levels

    def log_prob_of_first(count, pixels):
        mask = (torch.arange(channels) < count).view(1, -1, 1, 1).expand(len(pixels), -1, -1, -1)
        return mixture(raw.expand(len(pixels), -1, -1, -1), layout, num_values, family, mask).log_prob(pixels)

    conditional = log_prob_of_first(known + 1, pixels) - log_prob_of_first(known, prefix)

    assert abs(conditional.double().exp().sum() - 1) < 1e-5


SURVIVALS = {"logistic": exact.logistic, "normal": exact.normal, "laplace": exact.laplace, "cauchy": exact.student(1)}


def exact_log_prob(raw, layout, num_values, survival, codes):
    """log p of one pixel in sixty digits from raw parameters [P] and codes [C]: the definition, spelt out."""
    channels, components = layout.channels, layout.components
    numbers = iter(raw.tolist())
    logits = [mpf(next(numbers)) for _ in range(components)] if components > 1 else [mpf(0)]
    means = [[mpf(next(numbers)) for _ in range(components)] for _ in range(channels)]
    log_scales = [[max(mpf(next(numbers)), mpf(-9)) for _ in range(components)] for _ in range(channels)]
    slopes = {
        (i, j): [mpmath.tanh(next(numbers)) for _ in range(components)] for i in range(channels) for j in range(i)
    }
    scaled = [mpf(2 * code - num_values + 1) / (num_values - 1) for code in codes]
    total, weights = mpf(0), mpf(0)
    for k in range(components):
        product = mpmath.exp(logits[k])
        weights += product
        for i in range(channels):
            centre = means[i][k] + sum(slopes[i, j][k] * scaled[j] for j in range(i))
            product *= exact.mass(survival, num_values, codes[i], centre, log_scales[i][k])
        total += product
    return float(mpmath.log(total / weights))


@pytest.mark.parametrize("name", SURVIVALS)
@pytest.mark.parametrize(("channels", "components"), [(1, 1), (3, 5), (4, 2)])
@pytest.mark.parametrize("num_values", [32, 256, 65536])
def test_log_prob_agrees_with_sixty_digits(num_values, channels, components, name):
    layout = MixtureLayout(channels, components)
    raw = random_raw(layout, seed=num_values + channels, batch=6)
    codes = torch.randint(0, num_values, (6, channels, 1, 1), generator=torch.Generator().manual_seed(0))
    codes[0], codes[1] = 0, num_values - 1
    codes[2:4] = mixture(raw, layout, num_values, name).mode[2:4]

    log_prob = mixture(raw, layout, num_values, name).log_prob(codes)

    expected = [
        exact_log_prob(row.flatten(), layout, num_values, SURVIVALS[name], code.flatten().tolist())
        for row, code in zip(raw, codes, strict=True)
    ]
    torch.testing.assert_close(log_prob.double(), torch.tensor(expected).double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_equal_finite_differences_in_float64_and_those_of_float32(family):
    layout = MixtureLayout(3, 2)
    raw = random_raw(layout, seed=7, batch=4, log_scales=(-5.0, 2.0), dtype=torch.float64)
    codes = torch.tensor([[0, 5, 16], [16, 16, 0], [7, 8, 9], [3, 0, 12]]).view(4, 3, 1, 1)

    assert torch.autograd.gradcheck(
        lambda raw: mixture(raw, layout, 17, family).log_prob(codes), raw.requires_grad_(), eps=1e-6, rtol=1e-4
    )
    single = raw.detach().float().requires_grad_()
    mixture(single, layout, 17, family).log_prob(codes).sum().backward()
    mixture(raw, layout, 17, family).log_prob(codes).sum().backward()
    torch.testing.assert_close(single.grad.double(), raw.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("code", "mean", "log_scale", "nats"),
    [
        (0, 0.0, -1.0, 2.772187195069),
        (128, 0.0, -1.0, 5.234448602741),
        (255, 0.0, -1.0, 2.772187195069),
        (200, 0.5, -3.0, 3.675946232809),
        (128, 0.0, -7.0, 0.693515007799),
    ],
)
def test_one_logistic_agrees_with_the_reference_system(code, mean, log_scale, nats):
    raw = torch.tensor([mean, log_scale], dtype=torch.float64).view(1, 1, 1, 2)

    log_prob = mixture(raw, MixtureLayout(1, 1), 256).log_prob(torch.full((1, 1, 1, 1), code))

    assert -log_prob.item() == pytest.approx(nats, abs=1e-9)


def test_ten_logistics_agree_with_the_reference_system():
    theirs = 2 * torch.sin(0.37 * torch.arange(2 * 4 * 4 * 100, dtype=torch.float64)).view(2, 4, 4, 100)
    codes = ((torch.arange(2 * 4 * 4 * 3) * 37) % 256).view(2, 4, 4, 3).movedim(-1, 1)
    logits, rest = theirs[..., :10], theirs[..., 10:].unflatten(-1, (3, 3, 10))
    raw = torch.cat([logits, rest[..., 0, :].flatten(-2), rest[..., 1, :].flatten(-2), rest[..., 2, :].flatten(-2)], -1)
    link = ScaleLink("exp", floor=-7.0)

    log_prob = DiscretizedMixture(raw, MixtureLayout(3, 10), Logistic(), 256, link).log_prob(codes)

    # the reference takes a density where a bin's mass is below 1e-5
    torch.testing.assert_close(-log_prob / 48, torch.tensor([7.6005673466, 7.5966586218]).double(), rtol=0, atol=3e-6)


def test_hidden_pixels_count_nothing_and_have_no_gradient():
    layout = MixtureLayout(3, 4)
    raw = random_raw(layout, seed=1, batch=6).view(2, 1, 3, -1).requires_grad_()
    codes = torch.randint(0, 32, (2, 3, 1, 3), generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([True, False, True]).expand(2, 3, 1, 3)

    log_prob = mixture(raw, layout, 32, mask=mask).log_prob(codes)
    log_prob.sum().backward()

    kept = mixture(raw[:, :, ::2], layout, 32).log_prob(codes[..., ::2])
    torch.testing.assert_close(log_prob, kept)
    assert (raw.grad[:, :, 1] == 0).all()
    assert mixture(raw, layout, 32, mask=torch.zeros_like(mask)).log_prob(codes).eq(0).all()


@pytest.mark.parametrize(
    ("autoregressive", "hidden"), [(True, [2]), (True, [1, 2]), (False, [0]), (False, [1]), (False, [0, 2])]
)
def test_hidden_channels_are_summed_over(autoregressive, hidden):
    layout = MixtureLayout(3, 3, autoregressive=autoregressive)
    raw = random_raw(layout, seed=2, log_scales=(-2.0, 0.0))
    mask = torch.ones(1, 3, 1, 1, dtype=torch.bool)
    mask[:, hidden] = False
    joint = masses(raw, layout, 5).view(5, 5, 5)

    log_prob = mixture(raw, layout, 5, mask=mask).log_prob(torch.tensor([3, 1, 4]).view(1, 3, 1, 1))

    slices = tuple(slice(None) if c in hidden else code for c, code in enumerate((3, 1, 4)))
    assert log_prob.exp().item() == pytest.approx(joint[slices].sum().item(), rel=1e-5)


def test_a_hidden_channel_that_an_observed_one_depends_on_is_refused():
    layout = MixtureLayout(3, 2)
    mask = torch.tensor([True, False, True]).view(1, 3, 1, 1)

    with pytest.raises(ValueError, match="autoregressive"):
        mixture(random_raw(layout, seed=0), layout, 8, mask=mask)


def tempered(raw, layout, temperature):
    parts = layout.split(raw)
    softer = raw.clone()
    layout.split(softer).logits.copy_(parts.logits / temperature)
    layout.split(softer).scales.copy_(parts.scales + math.log(temperature))
    return softer


@pytest.mark.parametrize("temperature", [1.0, 0.4])
@pytest.mark.parametrize("family", FAMILIES)
def test_draws_follow_the_masses(family, temperature):
    layout = MixtureLayout(2, 3)
    raw = random_raw(layout, seed=5, log_scales=(-2.0, 0.5))
    draws = 40_000

    drawn = mixture(raw.expand(draws, -1, -1, -1), layout, 7, family).draw(Decoding(temperature), StreamNoise(3))

    expected = masses(tempered(raw, layout, temperature), layout, 7, family).double() * draws
    counts = torch.bincount((drawn[:, 0].long() * 7 + drawn[:, 1].long()).flatten(), minlength=49).double()
    rare = expected < 5
    pooled = [torch.cat([column[~rare], column[rare].sum(0, keepdim=True) + 1e-9]) for column in (counts, expected)]
    assert drawn.dtype == torch.uint8
    assert stats.chisquare(*pooled, sum_check=False).pvalue > 1e-3


def test_draws_of_a_fine_grid_follow_the_masses():
    layout = MixtureLayout(1, 2)
    raw = random_raw(layout, seed=5, log_scales=(-3.0, -1.0))
    draws = 100_000

    drawn = mixture(raw.expand(draws, -1, -1, -1), layout, 65536).draw(Decoding(), StreamNoise(4))

    expected = masses(raw, layout, 65536).double().view(64, -1).sum(1) * draws
    counts = torch.bincount(drawn.flatten() // 1024, minlength=64).double()
    common = expected > 5
    assert drawn.dtype == torch.int32
    assert stats.chisquare(counts[common], expected[common], sum_check=False).pvalue > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_and_mode_take_the_heaviest_component_then_its_centre_or_its_heaviest_level_channel_by_channel(family):
    layout = MixtureLayout(3, 4)
    raw = random_raw(layout, seed=11, batch=40, log_scales=(-4.0, 0.5))
    parts = layout.split(raw)
    grid, levels = Grid(9), torch.arange(9)
    distribution = mixture(raw, layout, 9, family)

    def far(centre, log_scale):
        return (grid.scaled(levels) - centre).abs()

    def light(centre, log_scale):
        return -log_mass(FAMILIES[family], grid, levels, centre, log_scale)

    for codes, cost in ((distribution.draw(GREEDY, StreamNoise(0)), far), (distribution.mode, light)):
        for row in range(40):
            k = parts.logits[row, 0, 0].argmax()
            chosen = codes[row].flatten().long()
            for i, pairs in enumerate(([], [0], [1, 2])):
                slopes = parts.coefficients[row, 0, 0, pairs, k].double().tanh()
                centre = parts.means[row, 0, 0, i, k] + (slopes * grid.scaled(chosen[:i])).sum()
                costs = cost(centre, parts.scales[row, 0, 0, i, k])
                # of two levels alike to rounding, either will do
                assert costs[chosen[i]] <= costs.min() + 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_stays_at_the_centre_of_a_scale_so_wide_that_the_ends_are_heaviest(family):
    layout = MixtureLayout(1, 1)
    raw = torch.tensor([0.2, 1.0]).view(1, 1, 1, 2)

    distribution = mixture(raw, layout, 256, family)

    assert distribution.mode.item() == 255
    assert distribution.draw(GREEDY, StreamNoise(0)).item() == 153


def test_a_temperature_near_zero_draws_without_overflow():
    layout = MixtureLayout(3, 4)
    raw = random_raw(layout, seed=1, batch=3)

    drawn = mixture(raw, layout, 32).draw(Decoding(1e-30), StreamNoise(0))

    assert drawn.max() <= 31


@pytest.mark.parametrize(
    "layout", [MixtureLayout(2, 3), MixtureLayout(3, 1, autoregressive=False), MixtureLayout(1, 4)]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_mean_and_entropy_are_sums_over_all_pixels(family, layout):
    raw = random_raw(layout, seed=4, log_scales=(-3.0, 1.0), dtype=torch.float64)
    p = masses(raw, layout, 9, family)

    distribution = mixture(raw, layout, 9, family)

    mean = (p.view(-1, 1) * all_pixels(9, layout.channels).flatten(1)).sum(0)
    torch.testing.assert_close(distribution.mean.flatten(), mean)
    torch.testing.assert_close(distribution.entropy(), -torch.xlogy(p, p).sum(0, keepdim=True))


def test_entropy_counts_only_what_is_observed():
    layout = MixtureLayout(2, 3)
    raw = random_raw(layout, seed=4, log_scales=(-3.0, 1.0))
    mask = torch.tensor([True, False]).view(1, 2, 1, 1)
    first = masses(raw, layout, 9).view(9, 9).sum(1)

    entropy = mixture(raw, layout, 9, mask=mask).entropy()

    torch.testing.assert_close(entropy, -torch.xlogy(first, first).sum(0, keepdim=True))


def test_an_expectation_over_too_many_pixels_is_refused():
    layout = MixtureLayout(3, 2)
    distribution = mixture(random_raw(layout, seed=0), layout, 256)

    with pytest.raises(NotImplementedError, match="sample"):
        distribution.mean  # noqa: B018
    with pytest.raises(NotImplementedError, match="sample"):
        distribution.entropy()


def test_the_mean_of_independent_channels_takes_any_number_of_levels():
    layout = MixtureLayout(3, 2, autoregressive=False)
    raw = random_raw(layout, seed=0, batch=2, log_scales=(-3.0, 1.0))

    mean = mixture(raw, layout, 300).mean

    levels = torch.arange(300).view(-1, 1, 1, 1).expand(-1, 3, 1, 1)
    for c, row in itertools.product(range(3), range(2)):
        mask = torch.zeros(300, 3, 1, 1, dtype=torch.bool)
        mask[:, c] = True
        p = mixture(raw[row : row + 1].expand(300, -1, -1, -1), layout, 300, mask=mask).log_prob(levels).exp()
        assert mean[row, c].item() == pytest.approx((p * levels[:, 0, 0, 0]).sum().item(), rel=1e-5)


def test_bfloat16_parameters_give_a_float32_likelihood():
    layout = MixtureLayout(3, 5)
    raw = random_raw(layout, seed=0).bfloat16()

    assert mixture(raw, layout, 256).log_prob(torch.zeros(1, 3, 1, 1, dtype=torch.uint8)).dtype == torch.float32


@pytest.mark.parametrize(("number", "scale"), [(0.0, 1.0), (-5.0, 0.0443941194), (3.0, 3.1699250014)])
def test_softplus_scale_agrees_with_the_reference_system(number, scale):
    link = ScaleLink("softplus", beta=math.log(2), floor=-20.0)

    log_scale = link.log_scale(torch.tensor(number, dtype=torch.float64))

    assert log_scale.exp().item() == pytest.approx(scale, abs=1e-9)
    assert link.raw(log_scale.item()) == pytest.approx(number, abs=1e-8)


def test_a_scale_far_below_its_floor_is_the_floor_without_a_nan():
    for form in ("exp", "softplus"):
        number = torch.tensor([-1e4, -300.0, 1e4], requires_grad=True)

        log_scale = ScaleLink(form, floor=-7.0).log_scale(number)
        log_scale.sum().backward()

        assert log_scale[:2].tolist() == [-7.0, -7.0]
        assert number.grad.isfinite().all()
