import exact
import mpmath
import pytest
import torch

from lit_vae.distributions.discretized import log_mass, mode
from lit_vae.distributions.families import Laplace, Logistic, Normal, StudentT
from lit_vae.distributions.grid import Grid

FAMILIES = {
    "logistic": (Logistic(), exact.logistic),
    "normal": (Normal(), exact.normal),
    "laplace": (Laplace(), exact.laplace),
    "cauchy": (StudentT(1), exact.student(1)),
    "student2": (StudentT(2), exact.student(2)),
    "student5": (StudentT(5), exact.student(5)),
    "student30": (StudentT(30), exact.student(30)),
}
LOG_SCALES = [-9.0, -5.0, -1.0, 2.0, 6.0]
CENTRES = [0.0, 0.3, -1.0, 1.7, -60.0]


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param][0]


def neighbours(num_values, centre):
    nearest = int(Grid(num_values).nearest(torch.tensor(centre)))
    codes = {0, 1, nearest - 1, nearest, nearest + 1, num_values // 2, num_values - 1}
    return sorted(code for code in codes if 0 <= code < num_values)


@pytest.mark.parametrize("num_values", [2, 17, 256, 65536])
@pytest.mark.parametrize("name", FAMILIES)
def test_log_mass_agrees_with_sixty_digits_tails_included(name, num_values):
    family, survival = FAMILIES[name]
    cases = [
        (code, torch.tensor(centre).item(), log_scale)
        for centre in (CENTRES if name[0] != "s" else CENTRES[1:4])
        for log_scale in (LOG_SCALES if name[0] != "s" else LOG_SCALES[::2])
        for code in neighbours(num_values, centre)
    ]
    codes, centres, log_scales = (torch.tensor(column) for column in zip(*cases, strict=True))
    expected = torch.tensor(
        [float(mpmath.log(exact.mass(survival, num_values, *case))) for case in cases], dtype=torch.float64
    )

    single = log_mass(family, Grid(num_values), codes, centres, log_scales)
    double = log_mass(family, Grid(num_values), codes, centres.double(), log_scales.double())

    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(double, expected, rtol=2e-8, atol=1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("num_values", [2, 17, 32, 256, 65536])
def test_masses_of_all_levels_sum_to_one(family, num_values, dtype, tolerance):
    codes = torch.arange(num_values)
    few = num_values == 65536
    centres = torch.tensor(CENTRES[1::2] if few else CENTRES, dtype=dtype).view(-1, 1, 1)
    log_scales = torch.tensor(LOG_SCALES[::2] if few else LOG_SCALES, dtype=dtype).view(-1, 1)

    total = log_mass(family, Grid(num_values), codes, centres, log_scales).double().exp().sum(-1)

    assert (total - 1).abs().max() < tolerance


@pytest.mark.parametrize("num_values", [2, 17, 256, 65536])
def test_gradients_are_finite_differences_in_float64_and_the_same_in_float32(family, num_values):
    cases = torch.cartesian_prod(torch.tensor([-3.0, 0.2, 0.97]), torch.tensor([-4.0, -1.0, 3.0]))
    centres, log_scales = (column.unsqueeze(1).double().requires_grad_() for column in cases.unbind(1))
    codes = torch.tensor([0, 1, num_values * 3 // 5, num_values - 1]).clamp(max=num_values - 1)

    def totals(centres, log_scales):
        return log_mass(family, Grid(num_values), codes, centres, log_scales)

    # a difference quotient over a narrow bin leaves few of float64's digits
    assert torch.autograd.gradcheck(totals, (centres, log_scales), eps=1e-5, rtol=1e-4, atol=1e-4)
    double = torch.autograd.grad(totals(centres, log_scales).sum(), (centres, log_scales))
    halves = [column.detach().float().requires_grad_() for column in (centres, log_scales)]
    single = torch.autograd.grad(totals(*halves).sum(), halves)
    for narrow, wide in zip(single, double, strict=True):
        torch.testing.assert_close(narrow.double(), wide, rtol=1e-4, atol=1e-4)


def test_gradients_are_finite_however_far_out_and_narrow_or_wide(family):
    cases = torch.cartesian_prod(
        torch.tensor([-1e6, -1e4, -1.0, 0.0, 1.0, 1e6]), torch.tensor([-14.0, -9.0, 6.0, 40.0, 1e4])
    )
    centres, log_scales = (column.unsqueeze(1).clone().requires_grad_() for column in cases.unbind(1))

    terms = log_mass(family, Grid(65536), torch.tensor([0, 1, 32767, 65535]), centres, log_scales)
    gradients = torch.autograd.grad(terms.sum(), (centres, log_scales))

    assert terms.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_beyond_the_widest_scale_inner_masses_keep_falling(family):
    log_scales = torch.tensor([14.0, 15.0, 16.0, 40.0])

    terms = log_mass(family, Grid(256), torch.tensor(100), torch.tensor(0.0), log_scales)

    torch.testing.assert_close(terms - terms[0], 14.0 - log_scales, rtol=0, atol=1e-5)


@pytest.mark.parametrize("num_values", [2, 3, 17, 256])
def test_mode_is_the_heaviest_level_of_all(family, num_values):
    cases = torch.cartesian_prod(torch.linspace(-1.3, 1.3, 14), torch.linspace(-4.0, 2.0, 7))
    centres, log_scales = cases.unbind(1)

    chosen = mode(family, Grid(num_values), centres, log_scales)
    table = log_mass(family, Grid(num_values), torch.arange(num_values), cases[:, :1], cases[:, 1:])

    picked = table.gather(1, chosen.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(picked, table.amax(1), rtol=1e-6, atol=1e-6)


def test_mode_is_an_end_whose_tail_outweighs_the_level_at_the_centre():
    assert mode(Logistic(), Grid(256), torch.tensor(0.9), torch.tensor(0.0)) == 255
