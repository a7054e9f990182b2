"""Batches of nearly one length: every example once, little padding, the same from start and from middle."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lit_vae.data import TextDataset
from lit_vae.data.buckets import BucketSampler
from lit_vae.data.loading import ResumableLoader

EXAMPLES = 203


def texts_of(lengths):
    """Texts of given lengths, of which nothing else matters."""
    counts = np.asarray(lengths)
    return TextDataset(
        {"ids": np.zeros(counts.sum(), np.uint8), "ends": counts.cumsum()}
        | dict.fromkeys(("characters", "bytes", "words"), counts)
    )


LENGTHS = np.random.default_rng(0).integers(2, 40, EXAMPLES)


def trainer_of(rank=0, world=1, worked_off=0):
    progress = SimpleNamespace(total=SimpleNamespace(processed=worked_off))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    return SimpleNamespace(world_size=world, global_rank=rank, limit_train_batches=1.0, fit_loop=loop)


def batches_of(rank=0, world=1, worked_off=0, batch_size=4, lengths=LENGTHS, **settings):
    return list(BucketSampler(texts_of(lengths), trainer_of(rank, world, worked_off), batch_size, **settings))


@pytest.mark.parametrize("settings", [{}, {"pool": 60, "chunk": 8}], ids=["one pool", "pools"])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_example_is_seen_once_in_as_many_batches_by_each_process(world, settings):
    shares = [batches_of(rank, world, **settings) for rank in range(world)]

    assert len({len(share) for share in shares}) == 1
    assert sorted(index for share in shares for batch in share for index in batch) == list(range(EXAMPLES))
    assert all(1 <= len(batch) <= 4 for share in shares for batch in share)


def test_batches_hold_examples_of_nearly_one_length():
    batches = batches_of(lengths=np.random.default_rng(0).integers(2, 40, 4000))

    spreads = [np.ptp(np.random.default_rng(0).integers(2, 40, 4000)[batch]) for batch in batches]

    assert np.mean(spreads) < 0.05


@pytest.mark.parametrize("batch_size", [32, 128])
def test_less_than_two_percent_is_padding(batch_size):
    random = np.random.default_rng(0)
    lengths = 2 + random.poisson(random.gamma(4, 5, 42_000))  # as many as the Penn Treebank's, and like them

    batches = batches_of(batch_size=batch_size, lengths=lengths)

    places = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert 1 - lengths.sum() / places < 0.02


def test_the_order_of_batches_says_nothing_about_their_lengths():
    means = [LENGTHS[batch].mean() for batch in batches_of()]

    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


def test_processes_work_on_alike_lengths_at_each_step():
    one, other = (batches_of(rank, 2) for rank in (0, 1))

    gaps = [abs(LENGTHS[a].mean() - LENGTHS[b].mean()) for a, b in zip(one, other, strict=True)]

    assert np.mean(gaps) < 2


@pytest.mark.parametrize("settings", [{}, {"pool": 60, "chunk": 8}], ids=["one pool", "pools"])
def test_processes_see_together_what_one_with_a_larger_batch_would(settings):
    shares = zip(*(batches_of(rank, 2, batch_size=4, **settings) for rank in (0, 1)), strict=True)

    together = [sorted(one + other) for one, other in shares]

    assert together == [sorted(batch) for batch in batches_of(batch_size=8, **settings)]


@pytest.mark.parametrize("settings", [{}, {"pool": 60, "chunk": 8}], ids=["one pool", "pools"])
@pytest.mark.parametrize("rank", [0, 1])
def test_an_epoch_goes_on_from_any_batch(rank, settings):
    whole = batches_of(rank, 2, **settings)

    rests = [batches_of(rank, 2, worked_off=done, **settings) for done in range(len(whole))]

    assert rests == [whole[done:] for done in range(len(whole))]


def test_each_epoch_and_seed_has_an_order_of_its_own(monkeypatch):
    epochs = [str(batches_of(worked_off=number * len(batches_of()))) for number in range(3)]
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")

    assert len({*epochs, str(batches_of())}) == 4


@pytest.mark.parametrize("batch_size", [1, 4])
def test_fewer_examples_than_processes_are_repeated(batch_size):
    shares = [batches_of(rank, 5, lengths=[3, 4, 5], batch_size=batch_size) for rank in range(5)]

    assert [len(batch) for share in shares for batch in share] == [1] * 5
    assert {index for share in shares for batch in share for index in batch} == {0, 1, 2}


@pytest.mark.parametrize("num_workers", [0, 1])
def test_the_training_loader_batches_texts_so(num_workers):
    loader = ResumableLoader(texts_of(LENGTHS), None, 4, shuffle=True, num_workers=num_workers)

    batches = list(loader)

    assert len(loader) == len(batches) == -(-EXAMPLES // 4)
    assert sorted(torch.cat([batch.index for batch in batches]).tolist()) == list(range(EXAMPLES))
    assert [batch.index.tolist() for batch in batches] == batches_of()


@pytest.mark.parametrize("world", [1, 2])
def test_an_evaluation_batches_by_length_always_alike(world):
    def shares():
        loaders = [
            ResumableLoader(texts_of(LENGTHS), trainer_of(rank, world), 4, shuffle=False, num_workers=0)
            for rank in range(world)
        ]
        return [[batch.index.tolist() for batch in loader] for loader in loaders]

    first = shares()

    whole = [batch for share in first for batch in share if len(batch) == 4]
    assert {index for share in first for batch in share for index in batch} == set(range(EXAMPLES))
    assert np.mean([np.ptp(LENGTHS[batch]) for batch in whole]) < 2
    assert abs(np.corrcoef([LENGTHS[batch].mean() for batch in whole], range(len(whole)))[0, 1]) < 0.4
    assert shares() == first


def test_where_all_are_of_one_length_an_evaluation_keeps_the_order_of_the_split():
    pictures = texts_of(np.full(10, 3))
    pictures.uneven = False

    loader = ResumableLoader(pictures, None, 4, shuffle=False, num_workers=0)

    assert torch.cat([batch.index for batch in loader]).tolist() == list(range(10))
