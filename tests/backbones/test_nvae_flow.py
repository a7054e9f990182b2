import pytest
import torch

from lit_vae.backbones.nvae_flow import Shift, VolumePreservingFlow


def lively(module):
    """A module away from its initial values, in float64."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module.double()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_variable_is_shifted_by_those_before_it_alone(mirrored):
    shift = lively(Shift(2, mirrored))
    z = torch.randn(1, 2, 3, 3, dtype=torch.float64)

    jacobian = torch.autograd.functional.jacobian(shift.shift, z).view(2, 9, 2, 9)

    # Positions in reading order (or against it), then channels.
    order = [(place, channel) for place in (reversed(range(9)) if mirrored else range(9)) for channel in range(2)]
    matrix = torch.stack([torch.stack([jacobian[c, p, e, q] for q, e in order]) for p, c in order])
    assert matrix.triu().abs().max() == 0
    assert (matrix != 0).any(1).tolist() == [False] + 17 * [True]


def test_the_flow_preserves_volume():
    flow = lively(VolumePreservingFlow(2, 1))

    jacobian = torch.autograd.functional.jacobian(flow, torch.randn(1, 2, 3, 2, dtype=torch.float64)).view(12, 12)

    assert not torch.allclose(jacobian, torch.eye(12, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, torch.tensor(0.0, dtype=torch.float64))


@torch.no_grad()
@pytest.mark.parametrize("pairs", [1, 2])
def test_the_inverse_undoes_the_flow(pairs):
    flow, z = lively(VolumePreservingFlow(3, pairs)), torch.randn(2, 3, 4, 3, dtype=torch.float64)

    image = flow(z)

    assert (image - z).abs().mean() > 0.01
    torch.testing.assert_close(flow.inverse(image), z, atol=1e-9, rtol=1e-9)


@torch.no_grad()
def test_half_precision_works_in_single():
    flow, z = lively(VolumePreservingFlow(2, 1)).float(), torch.randn(1, 2, 2, 2)
    image = flow(z)

    with torch.autocast("cpu", torch.bfloat16):
        autocast = flow(z)
    rounded = flow.bfloat16()(z)

    assert torch.equal(autocast, image)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, image, atol=0.1, rtol=0.1)
