"""Which symbols are refused."""

import pytest
import torch

from lit_vae.integers import refuse_outside

TYPES = [
    torch.uint8,
    torch.int8,
    torch.uint16,
    torch.int16,
    torch.uint32,
    torch.int32,
    torch.uint64,
    torch.int64,
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_any_integer_type_holds_symbols_of_its_alphabet_and_no_others(dtype):
    x = torch.tensor([0, 99], dtype=dtype)

    refuse_outside(x, 100, "x")

    with pytest.raises(ValueError, match="x holds symbols 0 to 98, got 0 to 99"):
        refuse_outside(x, 99, "x")
