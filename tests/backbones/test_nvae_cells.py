import pytest
import torch
from torch.nn.functional import conv2d, interpolate

from lit_vae.backbones.nvae_cells import (
    Enlarge,
    NormedConv2d,
    Reduce,
    SqueezeExcitation,
    decoder_cell,
    encoder_cell,
    lengths,
)


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"groups": 4}, {"bias": False}])
def test_a_normed_convolution_begins_as_torch_makes_it(options):
    convolution, x = NormedConv2d(4, 8, 3, **options).double(), torch.randn(2, 4, 6, 4).double()

    plain = conv2d(x, convolution.weight, convolution.bias, convolution.stride, 1, groups=convolution.groups)

    torch.testing.assert_close(convolution(x), plain, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_length_of_the_weights_is_learned_apart_from_their_direction():
    convolution = NormedConv2d(4, 8, 3).double()
    before = convolution.normed()

    convolution.weight.mul_(7)
    stretched = convolution.normed()
    convolution.log_length.fill_(0.5)

    torch.testing.assert_close(stretched, before, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        lengths(convolution.normed()).log(), torch.full((8, 1, 1, 1), 0.5).double(), atol=1e-5, rtol=0
    )


def test_weights_under_the_mask_are_the_only_ones_and_the_only_ones_measured():
    mask = torch.zeros(2, 1, 3, 3)
    mask[:, :, 0] = 1
    convolution = NormedConv2d(1, 2, 3, mask=mask)

    convolution(torch.randn(1, 1, 4, 4)).sum().backward()

    assert (convolution.normed()[mask == 0] == 0).all()
    assert (convolution.weight.grad[mask == 0] == 0).all()
    torch.testing.assert_close(lengths(convolution.normed()), convolution.log_length.exp(), atol=1e-4, rtol=1e-4)
    assert "mask" not in convolution.state_dict()


def test_a_normed_convolution_works_in_the_precision_of_its_input():
    half, exact = NormedConv2d(4, 4, 3).bfloat16(), NormedConv2d(4, 4, 3)

    with torch.autocast("cpu", torch.bfloat16):
        cast = exact(torch.randn(1, 4, 4, 4))

    assert half.normed().dtype == torch.float32
    assert half(torch.randn(1, 4, 4, 4).bfloat16()).dtype == cast.dtype == torch.bfloat16
    assert half(torch.randn(1, 4, 4, 4)).dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize(("width", "squeezed"), [(8, 4), (128, 8)])
def test_a_gate_is_one_number_a_channel_between_0_and_1(width, squeezed):
    squeeze, x = SqueezeExcitation(width), torch.randn(2, width, 3, 5)

    ratio = squeeze(x) / x

    assert squeeze.gate[0].out_features == squeezed
    assert ((ratio > 0) & (ratio < 1)).all()
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio), atol=1e-4, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize(
    ("make", "change", "shape"),
    [
        (lambda change: encoder_cell(8, change, gated=True), "same", (2, 8, 4, 6)),
        (lambda change: encoder_cell(8, change, gated=True), "down", (2, 16, 2, 3)),
        (lambda change: decoder_cell(8, change, 6, gated=True), "same", (2, 8, 4, 6)),
        (lambda change: decoder_cell(8, change, 3, gated=False), "up", (2, 4, 8, 12)),
    ],
)
def test_a_cell_adds_a_tenth_of_its_branch_to_the_stream(make, change, shape):
    cell, x = make(change).eval(), torch.randn(2, 8, 4, 6)

    y = cell(x)

    assert y.shape == shape
    torch.testing.assert_close(y - cell.skip(x), 0.1 * cell.gate(cell.branch(x)), atol=1e-6, rtol=1e-4)


@torch.no_grad()
def test_halving_sees_every_position_once():
    reduce, x = Reduce(2, 10), torch.zeros(1, 2, 4, 4)
    for part in reduce.parts:
        part.bias.zero_()
    quiet = reduce(x)
    x[0, :, 3, 2] = 1.0

    y = reduce(x) - quiet

    assert [part.out_channels for part in reduce.parts] == [2, 2, 2, 4]
    assert y[0, 6:, 1, 1].abs().min() > 0
    y[0, 6:, 1, 1] = 0
    assert y.abs().max() == 0


@torch.no_grad()
def test_doubling_before_or_after_its_convolution_is_the_same():
    enlarge, x = Enlarge(4, 2), torch.randn(2, 4, 3, 5)

    late = enlarge.change(interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))

    torch.testing.assert_close(enlarge(x), late)


def test_stored_statistics_move_by_a_twentieth_and_serve_evaluation():
    cell, x = encoder_cell(4, "same", gated=False), 3 + torch.randn(64, 4, 4, 4)

    cell(x)
    stored = cell.branch[0].running_mean.clone()
    together, alone = cell.eval()(x)[:1], cell(x[:1])

    torch.testing.assert_close(stored, 0.05 * x.mean((0, 2, 3)))
    torch.testing.assert_close(together, alone)
