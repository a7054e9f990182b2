import pytest
import torch

from lit_vae.backbones import RecurrentVAE
from lit_vae.backbones.pooling import pooled

STATES = torch.tensor([[[1.0, -5.0], [4.0, -2.0], [2.0, -3.0], [9.0, 9.0]]])
MASK = torch.tensor([[True, True, True, False]])


@pytest.mark.parametrize(
    ("pool", "expected"), [("last", [2.0, -3.0]), ("max", [4.0, -2.0]), ("mean", [7 / 3, -10 / 3])]
)
def test_a_text_is_pooled_over_the_positions_that_exist(pool, expected):
    padded, cut = pooled(STATES, MASK, pool), pooled(STATES[:, :3], None, pool)

    torch.testing.assert_close(padded, torch.tensor([expected]))
    torch.testing.assert_close(cut, padded)


def test_an_unknown_way_to_pool_lists_the_known():
    with pytest.raises(ValueError, match=r"model\.backbone\.init_args\.pool is one of last, max, mean, got 'sum'"):
        RecurrentVAE(4, (None,), pool="sum")
