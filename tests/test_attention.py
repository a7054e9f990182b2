"""Attention is the weighted mean it is said to be, and positions count by their distance alone."""

import pytest
import torch

from lit_vae.attention import Attention, SlotAttention, rotate


def test_products_of_rotated_vectors_depend_on_the_distance_alone():
    query, key = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)

    def product(at, of):
        return (rotate(query, torch.tensor([at])) * rotate(key, torch.tensor([of]))).sum()

    torch.testing.assert_close(product(3, 1), product(102, 100), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(product(3, 1), product(4, 1))


def test_rotation_keeps_the_length_of_every_vector():
    x = torch.randn(2, 3, 5, 6)

    torch.testing.assert_close(rotate(x, torch.arange(5)).norm(dim=-1), x.norm(dim=-1))


@torch.no_grad()
def test_each_position_takes_the_mean_of_the_values_weighted_by_its_scores():
    torch.manual_seed(0)
    attention, x = Attention(6, 1), torch.randn(1, 4, 6)
    keys, values = attention.remember(x)

    taken = attention(x, keys, values)

    queries = rotate(attention.query(x).unsqueeze(1), torch.arange(4))
    weights = (queries @ keys.mT / 6**0.5).softmax(-1)
    torch.testing.assert_close(taken, attention.output((weights @ values)[:, 0]))


@torch.no_grad()
def test_a_position_chooses_among_the_slots_that_its_features_fill():
    torch.manual_seed(0)
    attention, x, features = SlotAttention(6, 1, 4, slots=3), torch.randn(2, 5, 6), torch.randn(2, 5, 4)

    taken = attention(x, features)

    keys, values = attention.fill(features).unflatten(-1, (2, 3, 6)).unbind(2)
    weights = (keys @ attention.query(x).unsqueeze(-1) / 6**0.5).softmax(2)
    torch.testing.assert_close(taken, attention.output((weights * values).sum(2)))


@torch.no_grad()
def test_a_vector_shown_at_every_position_fills_the_same_slots_at_each():
    attention, x, features = SlotAttention(8, 2, 4, slots=3), torch.randn(2, 5, 8), torch.randn(2, 1, 4)
    shown = features.expand(-1, 5, -1)

    torch.testing.assert_close(attention(x, shown), attention(x, shown.contiguous()))


@pytest.mark.parametrize("make", [Attention, lambda width, heads: SlotAttention(width, heads, 4, 2)])
def test_heads_that_do_not_divide_the_width_are_refused(make):
    with pytest.raises(ValueError, match="9 channels do not divide into 3 heads"):
        make(9, 3)
