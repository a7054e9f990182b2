"""What every pixel head promises beyond the contract that all heads share."""

import math

import pytest
import torch

from lit_vae.batch import Batch
from lit_vae.heads import (
    BernoulliPixelHead,
    BetaBinomialPixelHead,
    CauchyPixelHead,
    L2PixelHead,
    LaplacePixelHead,
    LogisticPixelHead,
    NormalPixelHead,
    SoftmaxPixelHead,
    StudentTPixelHead,
)

SHAPE = (3, 2, 4)
MIXTURES = [LogisticPixelHead, NormalPixelHead, LaplacePixelHead, CauchyPixelHead, StudentTPixelHead]
HEADS = {
    **{kind.__name__: lambda n, kind=kind: kind(5, n, SHAPE) for kind in MIXTURES},
    "one normal": lambda n: NormalPixelHead(5, n, SHAPE, components=1, autoregressive=False),
    "softplus": lambda n: LogisticPixelHead(5, n, SHAPE, components=3, scale_form="softplus"),
    "shared": lambda n: LogisticPixelHead(5, n, SHAPE, components=3, scale="shared"),
    "fixed": lambda n: LogisticPixelHead(5, n, SHAPE, components=3, scale="fixed", fixed_scale=1.5),
    "3x3": lambda n: LogisticPixelHead(5, n, SHAPE, components=3, kernel_size=3),
    "L2 fixed": lambda n: L2PixelHead(5, n, SHAPE, sigma=2.0),
    "L2 learned": lambda n: L2PixelHead(5, n, SHAPE, sigma="learned"),
    "L2 optimal": lambda n: L2PixelHead(5, n, SHAPE, sigma="optimal"),
    "softmax": lambda n: SoftmaxPixelHead(5, n, SHAPE),
    "beta-binomial": lambda n: BetaBinomialPixelHead(5, n, SHAPE),
    "bernoulli": lambda n: BernoulliPixelHead(5, 2, SHAPE),
}


def codes_for(head, batch, seed=0):
    return torch.randint(0, head.num_values, (batch, *SHAPE), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=HEADS)
def head(request):
    torch.manual_seed(0)
    return HEADS[request.param](32)


@pytest.mark.parametrize("num_values", [2, 256])
@pytest.mark.parametrize("name", HEADS)
def test_bfloat16_features_up_to_ten_thousand_give_a_finite_float32_likelihood_and_gradient(name, num_values):
    head = HEADS[name](num_values)
    features = (1e4 * torch.randn(4, 2, 4, 5)).bfloat16().requires_grad_()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        log_prob = head(features).log_prob(codes_for(head, 4))
        log_prob.sum().backward()

    assert log_prob.dtype == torch.float32
    assert log_prob.isfinite().all()
    assert features.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


def test_a_head_cast_to_bfloat16_computes_its_likelihood_in_float32(head):
    log_prob = head.bfloat16()(torch.randn(2, 2, 4, 5).bfloat16()).log_prob(codes_for(head, 2))

    assert log_prob.dtype == torch.float32


def test_every_parameter_gets_a_gradient(head):
    head(torch.randn(4, 2, 4, 5)).log_prob(codes_for(head, 4)).sum().backward()

    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.ne(0).any(), name
    assert head.output.weight.grad.flatten(1).ne(0).any(1).all()


@pytest.mark.parametrize("num_values", [2, 17, 256, 65536])
@pytest.mark.parametrize("name", [name for name in HEADS if name not in ("fixed", "L2 fixed", "softmax")])
def test_noise_costs_little_more_than_the_logarithm_of_the_levels_at_first(name, num_values):
    if name == "beta-binomial":
        num_values = min(num_values, 256)
    head = HEADS[name](num_values).eval()
    codes = codes_for(head, 64)

    log_prob = head(torch.randn(64, 2, 4, 5)).log_prob(codes)

    bits = -log_prob.mean() / (math.log(2) * codes[0].numel())
    assert math.log2(head.num_values) - 0.05 < bits < math.log2(head.num_values) + 0.8


def test_draws_and_modes_are_codes_of_the_grid(head):
    distribution = head(torch.randn(3, 2, 4, 5))

    drawn, mode = distribution.sample((2,)), distribution.mode

    assert drawn.shape == (2, 3, *SHAPE)
    assert mode.shape == (3, *SHAPE)
    assert drawn.dtype == mode.dtype == torch.uint8
    assert max(drawn.max(), mode.max()) < head.num_values


def test_embeds_grey_levels_from_black_to_white_and_nothing_where_nothing_is_observed():
    head = LogisticPixelHead(5, 256, (1, 1, 3))
    mask = torch.tensor([True, True, False]).view(1, 1, 1, 3)
    x = torch.tensor([0, 255, 7], dtype=torch.uint8).view(1, 1, 1, 3)

    features = head.embed(Batch(x, mask, torch.zeros(1, dtype=torch.int64)))

    assert features.shape == (1, 1, 3, head.embed_width)
    torch.testing.assert_close(features.flatten(), torch.tensor([-1.0, 1.0, 0.0]))


def test_reports_bits_per_dimension_and_nats_per_picture(head):
    report = head.report(torch.tensor(math.log(2) * 72), torch.tensor(3), torch.tensor(36), {})

    assert report["bits_per_dim"].item() == pytest.approx(2.0)
    assert report["nats_per_image"].item() == pytest.approx(24 * math.log(2))


def test_builds_and_runs_on_the_meta_device():
    with torch.device("meta"):
        head = LogisticPixelHead(5, 256, SHAPE)

        log_prob = head(torch.zeros(2, 2, 4, 5)).log_prob(torch.zeros(2, *SHAPE, dtype=torch.uint8))

    assert log_prob.shape == (2,)


@torch.no_grad()
def test_a_margin_of_the_features_is_convolved_and_then_left_out():
    head = BernoulliPixelHead(2, 2, (1, 3, 4), kernel_size=3)
    features = torch.randn(2, 7, 8, 2)

    inner = head.project(features)

    everywhere = head.output(features.movedim(-1, 1)).movedim(1, -1)
    torch.testing.assert_close(inner, everywhere[:, 2:-2, 2:-2])


@pytest.mark.parametrize("size", [(2, 4), (4, 5), (5, 4), (5, 8)])
def test_features_of_another_size_are_refused(size):
    head = BernoulliPixelHead(2, 2, (1, 3, 4))

    with pytest.raises(ValueError, match=rf"draws pictures of 3x4, .* got features of {size[0]}x{size[1]}"):
        head(torch.zeros(1, *size, 2))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BernoulliPixelHead(5, 256, SHAPE), "BernoulliPixelHead is exact for 2 grey levels.*has 256"),
        (lambda: BetaBinomialPixelHead(5, 257, SHAPE), "exact for 2 to 256 grey levels.*has 257"),
        (lambda: LogisticPixelHead(5, 65537, SHAPE), "exact for 2 to 65536 grey levels"),
        (lambda: SoftmaxPixelHead(5, 1, SHAPE), "exact for 2 to 65536 grey levels"),
        (lambda: LogisticPixelHead(5, 256, (None,)), r"LogisticPixelHead draws pictures.*shape \[None\]"),
        (lambda: LogisticPixelHead(5, 256, SHAPE, kernel_size=2), "kernel_size must be odd"),
        (lambda: LogisticPixelHead(5, 256, SHAPE, components=0), "components"),
        (lambda: LogisticPixelHead(5, 256, SHAPE, scale="fixed"), "fixed_scale"),
        (lambda: LogisticPixelHead(5, 256, SHAPE, fixed_scale=1.0), "fixed_scale"),
        (lambda: LogisticPixelHead(5, 256, SHAPE, scale="learned"), "'pixel', 'shared' or 'fixed'"),
        (lambda: LogisticPixelHead(5, 256, SHAPE, scale_form="relu"), "scale_form"),
        (lambda: LogisticPixelHead(5, 256, SHAPE, softplus_beta=0.0), "softplus_beta"),
        (lambda: LogisticPixelHead(5, 256, SHAPE, log_scale_floor=-31.0), "log_scale_floor"),
        (lambda: StudentTPixelHead(5, 256, SHAPE, degrees=0), "degrees"),
        (lambda: L2PixelHead(5, 256, SHAPE), "squared error is a likelihood only with a sigma"),
        (lambda: L2PixelHead(5, 256, SHAPE, sigma=0.0), "sigma"),
        (lambda: L2PixelHead(5, 256, SHAPE, sigma="best"), "sigma"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_key_to_change(build, message):
    with pytest.raises(ValueError, match=message):
        build()
