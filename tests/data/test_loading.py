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


def trainer_of(rank=0, world=1, epoch=0, worked_off=0):
    """What a loader asks a trainer."""
    progress = SimpleNamespace(current=SimpleNamespace(processed=worked_off))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    return SimpleNamespace(world_size=world, global_rank=rank, current_epoch=epoch, fit_loop=loop)


def loader_of(dataset=None, trainer=None, shuffle=True, batch_size=4, num_workers=0):
    return ResumableLoader(dataset or pictures(), trainer, batch_size, shuffle, num_workers)


def epoch_of(loader, epoch):
    """Indices and pictures of one epoch, as Lightning runs it, a row a batch."""
    loader.sampler.set_epoch(epoch)
    batches = list(loader)
    return [batch.index.tolist() for batch in batches], [batch.x for batch in batches]


def test_training_sees_each_example_at_most_once_in_full_batches():
    batches, _ = epoch_of(loader_of(), 0)

    seen = [i for batch in batches for i in batch]
    assert [len(batch) for batch in batches] == [4] * 5
    assert len(set(seen)) == 20
    assert seen != sorted(seen)


def test_evaluation_sees_each_example_once_in_order():
    batches, _ = epoch_of(loader_of(shuffle=False), 0)

    assert [i for batch in batches for i in batch] == list(range(EXAMPLES))


def test_a_split_smaller_than_a_batch_still_trains():
    batches, _ = epoch_of(loader_of(batch_size=100), 0)

    assert [len(batch) for batch in batches] == [EXAMPLES]


def test_each_epoch_has_an_order_of_its_own_that_follows_from_the_seed(monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")
    first, second = (epoch_of(loader_of(), epoch)[0] for epoch in (0, 1))
    started_there, _ = epoch_of(loader_of(trainer=trainer_of(epoch=1)), 1)

    monkeypatch.setenv("PL_GLOBAL_SEED", "4")
    other, _ = epoch_of(loader_of(), 0)

    assert len({str(order) for order in (first, second, other)}) == 3
    assert started_there == second


def test_two_processes_share_an_evaluation_in_turn():
    shares = [loader_of(trainer=trainer_of(rank, world=2), shuffle=False) for rank in (0, 1)]

    even, odd = ([i for batch in epoch_of(share, 0)[0] for i in batch] for share in shares)

    assert even == list(range(0, EXAMPLES, 2))
    assert odd == [*range(1, EXAMPLES, 2), 0]


def test_two_processes_train_on_different_examples():
    shares = [loader_of(trainer=trainer_of(rank, world=2)) for rank in (0, 1)]

    one, other = ({i for batch in epoch_of(share, 0)[0] for i in batch} for share in shares)

    assert len(one) == len(other) == 12
    assert len(one & other) <= 1


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("rank", [0, 1])
def test_an_epoch_that_starts_in_the_middle_is_the_rest_of_it(rank, num_workers):
    dataset = BinarizedDataset(pictures(flip=True), fresh=True)
    arguments = {"dataset": dataset, "trainer": trainer_of(rank, 2, worked_off=1), "num_workers": num_workers}
    whole = loader_of(**arguments)
    state = whole.state_dict()
    indices, images = epoch_of(whole, 5)
    next_indices, next_images = epoch_of(whole, 6)

    resumed = loader_of(**arguments)
    resumed.load_state_dict(state)
    rest_indices, rest_images = epoch_of(resumed, 5)
    then_indices, then_images = epoch_of(resumed, 6)

    assert rest_indices == indices[1:]
    assert then_indices == next_indices
    for one, other in zip(images[1:] + next_images, rest_images + then_images, strict=True):
        assert torch.equal(one, other)


def test_a_picture_looks_new_in_each_epoch_and_the_same_in_each_process():
    dataset = BinarizedDataset(ImageDataset(torch.full((EXAMPLES, 1, 4, 4), 128, dtype=torch.uint8)), fresh=True)
    here, there = (loader_of(dataset, num_workers=workers) for workers in (0, 1))

    seen_here, seen_there = ([torch.cat(epoch_of(loader, epoch)[1]) for epoch in (0, 1)] for loader in (here, there))

    assert not torch.equal(*seen_here)
    assert all(torch.equal(one, other) for one, other in zip(seen_here, seen_there, strict=True))


def test_what_loading_draws_leaves_the_global_generator_alone():
    before = torch.get_rng_state()

    for _ in range(2):
        loader_of(pictures(flip=True)).dataset.__getitems__([0, 1, 2])

    assert torch.equal(torch.get_rng_state(), before)
