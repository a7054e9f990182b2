"""What the tests' other rounding does: equal rows differ, and the same product twice does not."""

import pytest
import torch
from rounding import OtherRounding


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_rows_differ_by_rounding_and_one_product_taken_twice_does_not(dtype):
    rows, weight = torch.randn(1, 5, dtype=dtype).expand(8, -1).contiguous(), torch.randn(3, 5, dtype=dtype)

    with OtherRounding():
        once, again, alone = (torch.nn.functional.linear(x, weight) for x in (rows, rows, rows[:1]))

    assert torch.equal(once, again)
    assert not torch.equal(once[:1], once[1:2])
    assert not torch.equal(once[:1], alone)
    tolerance = 50 * torch.finfo(dtype).eps
    torch.testing.assert_close(once, rows @ weight.T, rtol=tolerance, atol=tolerance)


def test_gradients_and_products_in_place_are_rounded_too_and_zeros_stay():
    x, weight = torch.ones(4, 3, requires_grad=True), torch.randn(2, 3)
    with OtherRounding():
        (gradient,) = torch.autograd.grad((x @ weight.T)[1:].square().sum(), x)
        sums = torch.zeros(2, 2).addmm_(weight, weight.T)

    assert (gradient[0] == 0).all()
    assert not torch.equal(gradient[1], gradient[2])
    assert not torch.equal(sums, weight @ weight.T)
