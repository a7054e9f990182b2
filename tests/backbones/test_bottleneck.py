import torch
from torch.nn.functional import gelu

from lit_vae.backbones.bottleneck import Bottleneck


def test_parts_count_as_what_they_are_side_by_side():
    torch.manual_seed(0)
    cell = Bottleneck(7, 4, 5, 3, gelu)
    left, right = torch.randn(2, 3, 6, 4), torch.randn(2, 4, 6, 4)

    apart = cell.of_active(gelu(left), gelu(right))
    together = cell(torch.cat([left, right], 1))

    torch.testing.assert_close(apart, together)


def test_a_residual_cell_adds_what_came_in():
    torch.manual_seed(0)
    cell = Bottleneck(5, 4, 5, 1, gelu, residual=True)
    x = torch.randn(2, 5, 3, 3)

    torch.testing.assert_close(cell(x), x + cell.of_active(gelu(x)))
