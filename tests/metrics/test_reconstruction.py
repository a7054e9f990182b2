import torch

from lit_vae.batch import Batch
from lit_vae.metrics import Reconstruction


def test_symbols_that_come_back_are_counted_under_the_mask():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    batch = Batch(torch.tensor([[1, 2, 3], [4, 5, 6]]), mask, torch.tensor([7, 2]))
    metric = Reconstruction()

    metric.update(batch, torch.tensor([[1, 2, 9], [4, 0, 6]]))

    found = metric.compute()
    assert found["token_accuracy"] == 4 / 5
    assert found["exact_match"] == 1 / 2


def test_every_symbol_counts_where_there_is_no_mask():
    metric, x = Reconstruction(), torch.arange(8).view(2, 1, 2, 2)

    metric.update(Batch(x, None, torch.arange(2)), x.clamp(max=5))

    assert metric.compute()["token_accuracy"] == 6 / 8
