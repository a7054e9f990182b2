"""What loading promises: an epoch follows from its seed and number, alone and shared, from start and from middle."""

from types import SimpleNamespace

import pytest
import torch

from lit_vae.data import ImageDataset
from lit_vae.data.images_binarized import BinarizedDataset
from lit_vae.data.loading import ResumableLoader

EXAMPLES = 23


def pictures(flip=False):
    return ImageDataset(torch.arange(EXAMPLES * 6).view(EXAMPLES, 1, 2, 3).to(torch.uint8), flip)


def always_new():
    """Pictures that look different each time they are seen."""
    return BinarizedDataset(pictures(flip=True), fresh=True)


def trainer_of(rank=0, world=1, worked_off=0, limit=1.0):
    """What a loader asks a trainer."""
    progress = SimpleNamespace(total=SimpleNamespace(processed=worked_off))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    return SimpleNamespace(world_size=world, global_rank=rank, limit_train_batches=limit, fit_loop=loop)


def loader_of(dataset=None, trainer=None, shuffle=True, batch_size=4, num_workers=0):
    return ResumableLoader(dataset or pictures(), trainer, batch_size, shuffle, num_workers)


def epochs_of(number, loader, trainer):
    """Indices and pictures of some epochs, one batch after the other, as a trainer runs them."""
    indices, images = [], []
    progress = trainer.fit_loop.epoch_loop.batch_progress.total
    for _ in range(number):
        for batch in loader:
            indices.append(batch.index.tolist())
            images.append(batch.x)
        progress.processed = len(indices)
    return indices, images


def indices_of(loader):
    return [batch.index.tolist() for batch in loader]


def flat(rows):
    return [index for row in rows for index in row]


def test_training_sees_each_example_at_most_once_in_full_batches():
    batches = indices_of(loader_of())

    assert [len(batch) for batch in batches] == [4] * 5
    assert len(set(flat(batches))) == 20
    assert flat(batches) != sorted(flat(batches))


def test_evaluation_sees_each_example_once_in_order():
    assert flat(indices_of(loader_of(shuffle=False))) == list(range(EXAMPLES))
    assert flat(indices_of(loader_of(trainer=trainer_of(worked_off=3), shuffle=False))) == list(range(EXAMPLES))


def test_a_split_smaller_than_a_batch_still_trains():
    trainer = trainer_of()

    batches, _ = epochs_of(2, loader_of(trainer=trainer, batch_size=100), trainer)

    assert [len(batch) for batch in batches] == [EXAMPLES] * 2
    assert batches[0] != batches[1]


def test_each_epoch_has_an_order_of_its_own_that_follows_from_the_seed(monkeypatch):
    orders = []
    for seed in ("3", "4", "5"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        orders += [flat(indices_of(loader_of(trainer=trainer_of(worked_off=batches)))) for batches in (0, 5, 10)]

    again = flat(indices_of(loader_of(trainer=trainer_of(worked_off=10))))

    assert len({str(order) for order in orders}) == 9
    assert again == orders[-1]


def test_without_a_trainer_the_caller_counts_epochs():
    loader = loader_of()

    first = indices_of(loader)
    loader.sampler.set_epoch(1)

    assert indices_of(loader) == indices_of(loader_of(trainer=trainer_of(worked_off=5))) != first


def test_two_processes_share_an_evaluation_in_turn():
    even, odd = (flat(indices_of(loader_of(trainer=trainer_of(rank, 2), shuffle=False))) for rank in (0, 1))

    assert even == list(range(0, EXAMPLES, 2))
    assert odd == [*range(1, EXAMPLES, 2), 0]


def test_two_processes_train_on_different_examples():
    one, other = (set(flat(indices_of(loader_of(trainer=trainer_of(rank, 2))))) for rank in (0, 1))

    assert len(one) == len(other) == 12
    assert len(one & other) <= 1


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize(("rank", "worked_off"), [(0, 1), (1, 2), (0, 3), (1, 5)])
def test_a_loader_goes_on_where_the_trainer_is(rank, worked_off, num_workers):
    trainer = trainer_of(rank, world=2)
    indices, images = epochs_of(3, loader_of(always_new(), trainer), trainer)
    resumed = trainer_of(rank, world=2, worked_off=worked_off)
    loader = loader_of(always_new(), resumed, num_workers=num_workers)

    rest = list(loader)
    resumed.fit_loop.epoch_loop.batch_progress.total.processed += len(rest)
    rest += list(loader)

    assert len(indices) == 9
    assert [batch.index.tolist() for batch in rest] == indices[worked_off : worked_off + len(rest)]
    assert (worked_off + len(rest)) % 3 == 0
    for batch, x in zip(rest, images[worked_off:], strict=False):
        assert torch.equal(batch.x, x)


@pytest.mark.parametrize("limit", [2, 0.5])
def test_an_epoch_cut_short_is_followed_by_the_next_and_not_by_its_rest(limit):
    cut, whole = (trainer_of(worked_off=batches, limit=share) for batches, share in ((2, limit), (5, 1.0)))

    assert indices_of(loader_of(trainer=cut)) == indices_of(loader_of(trainer=whole))


@pytest.mark.parametrize("dataset", [pictures(flip=True), always_new()], ids=["flipped", "binarized"])
def test_a_picture_looks_new_in_each_epoch_and_run(dataset):
    looks, everything = [], list(range(EXAMPLES))
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1)):
        dataset.set_epoch(seed, epoch)
        looks.append(dataset.__getitems__(everything).x)

    assert not any(torch.equal(looks[i], looks[j]) for i in range(4) for j in range(i))


def test_what_loading_draws_leaves_the_global_generator_alone():
    before = torch.get_rng_state()

    always_new().__getitems__([0, 1, 2])

    assert torch.equal(torch.get_rng_state(), before)
