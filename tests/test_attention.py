"""Attention is the weighted mean it is said to be, and positions count by their distance alone."""

import pytest
import torch

from lit_vae.attention import Attention, rotate


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
@pytest.mark.parametrize("slots", [1, 3])
def test_each_position_takes_the_mean_of_the_values_weighted_by_its_scores(slots):
    torch.manual_seed(0)
    attention, x, memory = Attention(6, 1, memory_width=4, slots=slots), torch.randn(1, 2, 6), torch.randn(1, 5, 4)
    keys, values = attention.remember(memory)

    taken = attention(x, keys, values)

    queries = rotate(attention.query(x).unsqueeze(1), torch.arange(2))
    weights = (queries @ keys.mT / 6**0.5).softmax(-1)
    torch.testing.assert_close(taken, attention.output((weights @ values)[:, 0]))
    assert keys.shape == (1, 1, 5 * slots, 6)


@torch.no_grad()
def test_the_slots_of_a_position_stand_beside_each_other():
    attention, memory = Attention(4, 2, slots=2), torch.randn(1, 3, 4)
    other = memory.clone()
    other[:, 1] += 1.0

    before, after = (torch.cat(attention.remember(m), -1) for m in (memory, other))

    assert (before != after).any(-1)[0, 0].tolist() == [False, False, True, True, False, False]


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="9 channels do not divide into 3 heads"):
        Attention(9, 3)
