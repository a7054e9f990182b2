"""Totals of a split: the same whatever the batches and however many processes share them."""

from datetime import timedelta

import pytest
import torch
import torch.multiprocessing as mp

from lit_vae.batch import Batch
from lit_vae.metrics import Likelihood
from lit_vae.objectives import Terms

LAYERS = ["4x4.0", "8x8.0"]
EXAMPLES = 11


def split():
    """Symbols, bounds and units of a split of texts of unequal length."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 6, (EXAMPLES, 1), generator=generator)
    batch = Batch(
        torch.zeros(EXAMPLES, 5, dtype=torch.long),
        torch.arange(5) < lengths,
        torch.arange(EXAMPLES),
        {"byte": torch.randint(1, 30, (EXAMPLES,), generator=generator)},
    )
    return batch, 100 * torch.rand(EXAMPLES, generator=generator), torch.rand(2, EXAMPLES, generator=generator)


def update(metric, examples):
    """Take in some examples of the split."""
    batch, distortion, kls = split()
    examples = torch.as_tensor(examples)
    metric.update(batch[examples], Terms(torch.tensor(0.0), distortion[examples], kls[:, examples]))


def totals(*batches):
    metric = Likelihood(LAYERS)
    for examples in batches:
        update(metric, examples)
    return metric.compute()


def test_totals_are_sums_over_the_split():
    batch, distortion, kls = split()

    found = totals(list(range(EXAMPLES)))

    assert found["examples"] == EXAMPLES
    assert found["symbols"] == batch.counts.sum()
    assert found["unit/byte"] == batch.units["byte"].sum()
    torch.testing.assert_close(found["distortion"], distortion.double().sum())
    torch.testing.assert_close(found["kl/4x4.0"], kls[0].double().sum())
    torch.testing.assert_close(found["kl/8x8.0"], kls[1].double().sum())
    torch.testing.assert_close(found["rate"], found["kl/4x4.0"] + found["kl/8x8.0"])
    torch.testing.assert_close(found["nelbo"], found["rate"] + found["distortion"])
    assert all(total.dtype == torch.float64 and total.shape == () for total in found.values())


@pytest.mark.parametrize(
    "batches",
    [
        [[i] for i in range(EXAMPLES)],
        [list(range(7)), list(range(7, EXAMPLES))],
        [[10, 3, 5], [0, 1, 2, 4], [9, 8, 7, 6]],
    ],
    ids=["one by one", "last batch smaller", "shuffled"],
)
def test_totals_are_the_same_bit_for_bit_whatever_the_batches(batches):
    assert totals(*batches) == totals(list(range(EXAMPLES)))


@pytest.mark.parametrize("batches", [[[0, 1, 2], [2]], [[0, 1], [0, 1]], [[3, 3]]])
def test_an_index_that_one_process_repeats_is_an_error_that_says_what_to_do(batches):
    with pytest.raises(
        ValueError, match=r"[12] of the [24] examples .* Batch.index must be the number of each example"
    ):
        totals(*batches)


def test_a_sum_of_a_large_split_keeps_its_digits():
    """An odd number of nats above 2 ** 24, which float32 cannot hold."""
    metric, size = Likelihood([]), 1002
    distortion = torch.ones(size)
    distortion[0] = 2.0**25 + 4
    batch = Batch(torch.zeros(size, 1, dtype=torch.uint8), None, torch.arange(size))

    metric.update(batch, Terms(torch.tensor(0.0), distortion, torch.zeros(0, size)))

    assert metric.compute()["nelbo"].item() == 2**25 + 4 + 1001
    assert metric.compute()["symbols"].item() == size


def test_double_precision_reaches_the_totals():
    metric = Likelihood([])
    fine = torch.tensor([1.0 + 2.0**-40], dtype=torch.float64)

    metric.update(
        Batch(torch.zeros(1, 3).long(), None, torch.tensor([0])),
        Terms(torch.tensor(0.0), fine, torch.zeros(0, 1).double()),
    )

    assert metric.compute()["distortion"] == fine[0]


def test_a_model_without_latents_has_no_rate():
    metric = Likelihood([])
    metric.update(
        Batch(torch.zeros(2, 3).long(), None, torch.arange(2)),
        Terms(torch.tensor(0.0), torch.ones(2), torch.zeros(0, 2)),
    )

    found = metric.compute()

    assert found["rate"] == 0
    assert found["nelbo"] == found["distortion"] == 2


def test_a_reset_forgets():
    metric = Likelihood(LAYERS)
    update(metric, [0, 1, 2])
    metric.reset()
    update(metric, [3])

    assert metric.compute() == totals([3])


def test_nothing_of_a_metric_is_in_a_checkpoint():
    metric = Likelihood(LAYERS)
    update(metric, [0, 1, 2])

    assert metric.state_dict() == {}


REPEATED = ([[0, 1], [0, 1]], [[0, 1], [2, 3]])
"""An index that starts anew in each batch of a process."""
SHARES = [
    ([[0, 2, 4], [6, 8, 10]], [[1, 3, 5], [7, 9, 0]]),  # as a distributed sampler divides 11, the last padded
    ([[0, 1, 2, 3, 4, 5, 6, 7]], [[8], [9], [10]]),  # unequal shares, unequal numbers of batches
]


def share_work(rank, folder):
    """What one of two processes computes of each division of the split."""
    address = f"file://{folder}/meeting"
    torch.distributed.init_process_group("gloo", address, timedelta(minutes=2), rank=rank, world_size=2)
    try:
        found = [totals(*division[rank]) for division in SHARES]
        with pytest.raises(ValueError, match="4 of the 8 examples"):
            totals(*REPEATED[rank])
    finally:
        torch.distributed.destroy_process_group()
    torch.save(found, f"{folder}/{rank}.pt")
    return found


def test_two_processes_find_what_one_does(tmp_path):
    other = mp.get_context("spawn").Process(target=share_work, args=(1, tmp_path))
    other.start()

    found_here = share_work(0, tmp_path)

    other.join()
    alone = totals(list(range(EXAMPLES)))
    assert alone["examples"] == EXAMPLES
    assert found_here == [alone, alone]
    assert torch.load(tmp_path / "1.pt", weights_only=True) == [alone, alone]
