"""Walks through latent space: from one example to another, and along one variable."""

import math

import pytest
import torch
from contracts.registry import BACKBONES, WIDTH, head_of, vae_of

from lit_vae.batch import Batch
from lit_vae.draws import posterior_mean
from lit_vae.walks import along, between, spherical


@pytest.fixture
def vae():
    backbone = BACKBONES["ladder"].build()
    return vae_of(head_of(backbone, (4, 8)), backbone)


@pytest.fixture
def stack(vae):
    x = torch.randint(4, (4, WIDTH, 4, 8), generator=torch.Generator().manual_seed(0))
    return vae.encode(Batch(x, None, torch.arange(4)), posterior_mean)


def noises(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_an_arc_begins_and_ends_where_it_should_and_stays_as_far_from_the_mean():
    one, other = noises(0, 3, 20, 20, 2), noises(1, 3, 20, 20, 2)

    arc = spherical(one, other, torch.linspace(0, 1, 5, dtype=torch.float64))

    assert arc.shape == (3, 5, 20, 20, 2)
    torch.testing.assert_close(arc[:, 0], one)
    torch.testing.assert_close(arc[:, -1], other)
    torch.testing.assert_close(arc.flatten(2).norm(dim=2), torch.full((3, 5), math.sqrt(800)), rtol=0.1, atol=0)
    assert ((one + other) / 2).flatten(1).norm(dim=1).max() < 0.8 * math.sqrt(800)


def test_a_quarter_of_a_circle_is_walked_evenly():
    one, other = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])

    arc = spherical(one, other, torch.tensor([0.0, 1 / 3, 2 / 3, 1.0], dtype=torch.float64))

    angles = torch.atan2(arc[0, :, 1], arc[0, :, 0])
    torch.testing.assert_close(angles, torch.linspace(0, math.pi / 2, 4))


@pytest.mark.parametrize("factor", [1.0, 3.0, 0.0, -1.0])
def test_noises_of_one_direction_or_the_opposite_are_joined_by_a_straight_line(factor):
    one = noises(0, 2, 5)

    arc = spherical(one, factor * one, torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))

    torch.testing.assert_close(arc[:, 1], (1 + factor) / 2 * one)


@torch.no_grad()
def test_the_ends_of_a_walk_decode_to_its_examples(vae, stack):
    walk = between(vae, stack[:2], stack[2:], 5)

    assert len(walk) == 10
    for part, whole in ((walk[0::5], stack[:2]), (walk[4::5], stack[2:])):
        for near, exact in zip(part.layers, whole.layers, strict=True):
            torch.testing.assert_close(near.z, exact.z, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_layers_below_follow_the_priors_that_the_layers_above_give_them(vae, stack):
    walk = between(vae, stack[:1], stack[1:2], 3)

    straight = (stack.layers[-1].z[:1] + stack.layers[-1].z[1:2]) / 2
    assert not torch.allclose(walk.layers[-1].z[1:2], straight, atol=1e-3)
    halfway = spherical(stack.layers[-1].noise[:1], stack.layers[-1].noise[1:2], torch.tensor([0.5]).double())
    torch.testing.assert_close(walk.layers[-1].noise[1:2], halfway[0], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_one_variable_changes_and_the_noise_of_all_others_stays(vae, stack):
    walk = along(vae, stack[:2], 1, [(0,), (1, 2, 1)], [-2.0, 0.5, 3.0])

    assert len(walk) == 2 * 2 * 3
    for index, (layer, before) in enumerate(zip(walk.layers, stack.layers, strict=True)):
        noise = layer.noise.unflatten(0, (2, 2, 3))
        expected = before.noise[:2, None, None].expand_as(noise).clone()
        if index == 1:
            expected[:, 0, ..., 0] = torch.tensor([-2.0, 0.5, 3.0])[:, None, None]
            expected[:, 1, :, 1, 2, 1] = torch.tensor([-2.0, 0.5, 3.0])
        torch.testing.assert_close(noise, expected, atol=1e-5, rtol=1e-4)


def test_a_walk_can_be_decoded_cut_and_saved_as_any_latents(vae, stack, tmp_path):
    walk = between(vae, stack[:1], stack[1:2], 3)

    walk[1:].save(tmp_path / "walk.pt")

    assert vae.decode(walk).log_prob(torch.zeros(3, WIDTH, 4, 8, dtype=torch.uint8)).shape == (3,)
    with pytest.raises(ValueError, match="has no KL: it was drawn from the prior alone"):
        walk.report()


def test_what_is_no_walk_is_refused(vae, stack):
    with pytest.raises(ValueError, match="--steps counts up from 2, got 1"):
        between(vae, stack[:1], stack[1:2], 1)
    with pytest.raises(ValueError, match="to one of as many others"):
        between(vae, stack[:1], stack[1:], 3)
    with pytest.raises(ValueError, match="the model has none"):
        between(vae, stack.top(0), stack.top(0), 3)
    for variables, values in [([], [0.0]), ([(0,)], [])]:
        with pytest.raises(ValueError, match="at least one of --variables"):
            along(vae, stack, 1, variables, values)
    with pytest.raises(ValueError, match="latent layers, from 0, got layer 9"):
        along(vae, stack, 9, [(0,)], [0.0])
    for variable in [(2,), (-1,), (0, 0), (4, 0, 0, 0)]:
        with pytest.raises(ValueError, match="is a channel from 0 to 1, or a place in that shape"):
            along(vae, stack, 1, [variable], [0.0])
