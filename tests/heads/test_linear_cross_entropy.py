"""The cross-entropy without logits is the one with them: value, gradient, any weights, any type."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from lit_vae.heads import linear_cross_entropy as module
from lit_vae.heads.linear_cross_entropy import linear_cross_entropy

TOKENS, WIDTH, VALUES = 23, 6, 11


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "SCRATCH_BYTES", 5 * VALUES * 8)
    monkeypatch.setattr(module, "CACHE_BYTES", 2 * VALUES * 8)
    monkeypatch.setattr(module, "BLOCK", 4)


def inputs(dtype: torch.dtype = torch.float64) -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (TOKENS, WIDTH), (VALUES, WIDTH), (VALUES,)
    tensors = [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]
    ids = torch.randint(VALUES, (TOKENS,), generator=generator)
    return [tensor.to(dtype).requires_grad_() for tensor in tensors], ids


def plain(features: Tensor, table: Tensor, bias: Tensor, ids: Tensor) -> Tensor:
    return cross_entropy(linear(features, table, bias), ids, reduction="none")


WEIGHTS = {
    "sum": torch.ones(TOKENS, dtype=torch.float64),
    "mean": torch.full((TOKENS,), 1 / 7, dtype=torch.float64),
    "arbitrary": torch.linspace(-1, 2, TOKENS, dtype=torch.float64),
    "none": torch.zeros(TOKENS, dtype=torch.float64),
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS.keys())
def test_value_and_gradient_equal_those_with_logits(weights):
    tensors, ids = inputs()

    nats, expected = linear_cross_entropy(*tensors, ids), plain(*tensors, ids)

    torch.testing.assert_close(nats, expected)
    torch.testing.assert_close(
        torch.autograd.grad(nats, tensors, weights), torch.autograd.grad(expected, tensors, weights)
    )


def test_two_backward_passes_give_one_gradient():
    tensors, ids = inputs()
    nats = linear_cross_entropy(*tensors, ids)

    first, second = (torch.autograd.grad(nats.sum(), tensors, retain_graph=True) for _ in range(2))
    for gradient in first:
        gradient.zero_()

    torch.testing.assert_close(second, torch.autograd.grad(plain(*tensors, ids).sum(), tensors))


@pytest.mark.parametrize("learns", [0, 1, 2])
def test_what_needs_no_gradient_gets_none(learns):
    tensors, ids = inputs()
    for place, tensor in enumerate(tensors):
        tensor.requires_grad_(place == learns)

    linear_cross_entropy(*tensors, ids).sum().backward()
    (expected,) = torch.autograd.grad(plain(*tensors, ids).sum(), tensors[learns])

    torch.testing.assert_close(tensors[learns].grad, expected)
    assert all(tensor.grad is None for place, tensor in enumerate(tensors) if place != learns)


def test_no_tokens_have_a_gradient_of_zero():
    tensors, _ = inputs()
    none = tensors[0].detach()[:0].requires_grad_()

    nats = linear_cross_entropy(none, *tensors[1:], torch.zeros(0, dtype=torch.int64))
    nats.sum().backward()

    assert nats.shape == (0,)
    assert tensors[1].grad.abs().sum() == 0


def test_scores_far_apart_stay_finite():
    table = torch.tensor([[1e4], [-1e4], [0.0]], requires_grad=True)
    features, bias = torch.ones(2, 1, requires_grad=True), torch.zeros(3, requires_grad=True)

    nats = linear_cross_entropy(features, table, bias, torch.tensor([0, 1]))
    nats.sum().backward()

    assert nats.tolist() == pytest.approx([0.0, 2e4])
    assert all(tensor.grad.isfinite().all() for tensor in (features, table, bias))


@torch.no_grad()
def test_nothing_is_differentiated_without_a_gradient():
    tensors, ids = inputs()

    assert not linear_cross_entropy(*tensors, ids).requires_grad


def test_bfloat16_sums_in_float32():
    tensors, _ = inputs(torch.float32)
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(4000, WIDTH, generator=generator).requires_grad_()
    ids = torch.randint(VALUES, (4000,), generator=generator)

    exact = plain(features, *tensors[1:], ids)
    with torch.autocast("cpu", torch.bfloat16):
        nats = linear_cross_entropy(features, *tensors[1:], ids)

    assert nats.dtype == torch.float32
    assert nats.mean().item() == pytest.approx(exact.mean().item(), rel=1e-3)
    for rough, fine in zip(
        torch.autograd.grad(nats.mean(), [features, *tensors[1:]]),
        torch.autograd.grad(exact.mean(), [features, *tensors[1:]]),
        strict=True,
    ):
        assert rough.dtype == torch.float32
        assert (rough - fine).norm() < 0.02 * fine.norm()


@pytest.mark.parametrize("weights", [WEIGHTS["mean"], WEIGHTS["arbitrary"]], ids=["uniform", "arbitrary"])
def test_bfloat16_parameters_get_bfloat16_gradients(weights):
    tensors, ids = inputs(torch.bfloat16)

    nats = linear_cross_entropy(*tensors, ids)
    nats.backward(weights.float())

    assert nats.dtype == torch.float32
    exact = [tensor.detach().double().requires_grad_() for tensor in tensors]
    expected = torch.autograd.grad(plain(*exact, ids), exact, weights)
    for tensor, fine in zip(tensors, expected, strict=True):
        assert tensor.grad.dtype == torch.bfloat16
        assert (tensor.grad.double() - fine).norm() < 0.02 * fine.norm()


@pytest.mark.parametrize("weights", [1e5, 1e-9])
def test_float16_takes_weights_beyond_its_range(weights):
    tensors, ids = inputs(torch.float32)
    uneven = weights * WEIGHTS["arbitrary"].float()

    with torch.autocast("cpu", torch.float16):
        nats = linear_cross_entropy(*tensors, ids)

    rough = torch.autograd.grad(nats, tensors[1:], uneven)
    for gradient, fine in zip(rough, torch.autograd.grad(plain(*tensors, ids), tensors[1:], uneven), strict=True):
        assert (gradient - fine).norm() < 0.02 * fine.norm()


def test_float16_sums_more_tokens_than_its_range_holds(monkeypatch):
    monkeypatch.setattr(module, "SCRATCH_BYTES", 2**25)
    features, table, bias = torch.full((20_000, 1), 8.0), torch.zeros(2, 1, requires_grad=True), torch.zeros(2)

    with torch.autocast("cpu", torch.float16):
        nats = linear_cross_entropy(features, table, bias, torch.zeros(20_000, dtype=torch.int64))
    nats.sum().backward()

    assert table.grad.tolist() == [[-80_000.0], [80_000.0]]


def test_the_larger_the_table_the_more_tokens_go_at_once(monkeypatch):
    seen, whole = [], module.score
    monkeypatch.setattr(module, "SCRATCH_BYTES", 1)
    monkeypatch.setattr(module, "score", lambda scores, *others: seen.append(len(scores)) or whole(scores, *others))

    linear_cross_entropy(torch.ones(8, 12), torch.ones(5, 12), torch.zeros(5), torch.arange(8) % 5)

    assert seen == [3, 3, 2]


def test_a_value_that_is_ruled_out_by_its_bias_costs_nothing():
    tensors, ids = inputs()
    with torch.no_grad():
        tensors[2][3:5] = -torch.inf
    allowed = ids.where((ids < 3) | (ids > 4), torch.zeros_like(ids))

    nats, expected = linear_cross_entropy(*tensors, allowed), plain(*tensors, allowed)

    torch.testing.assert_close(nats, expected)
    torch.testing.assert_close(torch.autograd.grad(nats.sum(), tensors), torch.autograd.grad(expected.sum(), tensors))


@pytest.mark.parametrize("weigh", [torch.sum, lambda nats: (nats * WEIGHTS["arbitrary"]).sum()])
def test_a_second_derivative_is_refused(weigh):
    tensors, ids = inputs()

    gradients = torch.autograd.grad(weigh(linear_cross_entropy(*tensors, ids)), tensors, create_graph=True)

    torch.testing.assert_close(gradients, torch.autograd.grad(weigh(plain(*tensors, ids)), tensors))
    for gradient in gradients:
        with pytest.raises(NotImplementedError, match="linear_cross_entropy is differentiable once"):
            gradient.sum().backward(retain_graph=True)


def test_the_functional_gradient_is_that_of_autograd():
    tensors, ids = inputs()

    gradients = torch.func.grad(lambda *given: linear_cross_entropy(*given, ids).sum(), (0, 1, 2))(*tensors)

    torch.testing.assert_close(gradients, torch.autograd.grad(plain(*tensors, ids).sum(), tensors))
