"""What every data module promises."""

import inspect
import pickle

import numpy as np
import pytest
import torch

import lit_vae.data
from contracts.registry import DATA_MODULES
from lit_vae.batch import Batch
from lit_vae.data import SymbolDataModule
from lit_vae.symbols import restore

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module", params=DATA_MODULES.keys())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def root(name, tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def data(name, root):
    return DATA_MODULES[name].build(root)


def same(one, two):
    """Whether two batches hold the same."""
    return torch.equal(one.x, two.x) and (one.mask is None or torch.equal(one.mask, two.mask))


def test_every_data_module_of_the_package_is_registered(tmp_path):
    exported = (getattr(lit_vae.data, name) for name in lit_vae.data.__all__)
    classes = (item for item in exported if inspect.isclass(item) and issubclass(item, SymbolDataModule))

    built = {type(case.make(tmp_path)) for case in DATA_MODULES.values()}

    assert built == {cls for cls in classes if not inspect.isabstract(cls)}


@pytest.mark.parametrize("split", SPLITS)
def test_a_batch_holds_symbols_of_the_alphabet_in_its_integer_type(data, split):
    dataset = data.dataset(split)
    indices = [len(dataset) - 1, 0, 1]

    batch = dataset.__getitems__(indices)

    token = len(data.shape) == 1
    assert len(dataset) >= 3
    assert isinstance(batch, Batch)
    assert batch.x.dtype == (torch.int64 if token else torch.uint8 if data.num_values <= 256 else torch.int32)
    assert 0 <= batch.x.min().item() <= batch.x.max().item() < data.num_values
    assert batch.index.tolist() == indices
    assert all(size in (None, got) for size, got in zip(data.shape, batch.x.shape[1:], strict=True))
    assert batch.mask is None or (batch.mask.dtype == torch.bool and batch.mask.shape == batch.x.shape)
    assert (batch.counts > 0).all()
    assert all(unit.shape == (3,) for unit in batch.units.values())


@pytest.mark.parametrize("split", ["val", "test"])
def test_an_example_of_an_evaluation_is_the_same_alone_and_beside_others(data, split):
    dataset = data.dataset(split)

    together = dataset.__getitems__([2, 0])

    alone = dataset[0]
    length = alone.x.shape[-1]
    assert torch.equal(together.x[1:, ..., :length], alone.x)
    assert torch.equal(together.counts[1:], alone.counts)
    assert all(torch.equal(together.units[unit][1:], count) for unit, count in alone.units.items())


@pytest.mark.parametrize("split", SPLITS)
def test_splits_are_the_same_every_time(name, data, root, split):
    again = DATA_MODULES[name].make(root)

    one, two = (module.dataset(split) for module in (data, again))

    assert len(one) == len(two)
    indices = list(range(min(20, len(one))))
    assert same(one.__getitems__(indices), two.__getitems__(indices))


def test_what_a_training_example_looks_like_follows_from_seed_epoch_and_batch(data):
    dataset = data.dataset("train")

    def seen(epoch):
        dataset.set_epoch(7, epoch)
        return dataset.__getitems__([1, 0, 2])

    first, second, again = seen(0), seen(1), seen(0)

    assert same(first, again)
    assert torch.equal(first.index, second.index)


def test_a_data_set_travels_to_a_loader_process(data):
    dataset = data.dataset("val")

    copy = pickle.loads(pickle.dumps(dataset))

    assert same(copy.__getitems__([0, 1]), dataset.__getitems__([0, 1]))


def test_the_model_is_told_what_the_symbols_stand_for(data):
    state = data.symbols.state()

    again = restore(state)

    assert data.num_values == data.symbols.num_values == again.num_values
    assert data.shape == data.symbols.shape == again.shape
    assert again.state() == state
    assert again.agrees_with(data.symbols)


def test_an_example_shows_as_itself(data):
    batch = data.dataset("test").__getitems__([0, 1])

    rendering = data.symbols.render(batch.x, batch.mask)

    parsed = data.symbols.parse(rendering)
    x = parsed if isinstance(parsed, torch.Tensor) else parsed[0]
    assert len(rendering) == 2
    assert torch.equal(x, batch.x)


def test_loaders_cover_each_split_once_in_batches(data):
    train, val = data.train_dataloader(), data.val_dataloader()

    seen_in_training = torch.cat([batch.index for batch in train])
    seen_in_validation = torch.cat([batch.index for batch in val])

    size = len(data.dataset("train"))
    left_out = 0 if data.dataset("train").uneven else size % data.batch_size
    assert len(seen_in_training.unique()) == len(seen_in_training) == size - left_out
    # texts come by length
    seen = seen_in_validation.sort().values if data.dataset("val").uneven else seen_in_validation
    assert seen.tolist() == list(range(len(data.dataset("val"))))


def test_an_evaluation_of_all_sees_every_example_of_every_split_once(data):
    splits = [data.dataset(split).as_evaluated() for split in SPLITS]

    everything = data.evaluated("all")

    assert [len(split) for split in splits] == [data.num_examples(split) for split in data.split_names]
    assert len(everything) == sum(map(len, splits))
    for number, split in enumerate(splits):
        start = sum(map(len, splits[:number]))
        few = list(range(min(5, len(split))))
        seen, alone = everything.__getitems__([start + index for index in few]), split.__getitems__(few)
        assert torch.equal(seen.x, alone.x)
        assert torch.equal(seen.counts, alone.counts)
        assert seen.index.tolist() == [start + index for index in few]


def test_an_evaluation_of_the_training_split_sees_nothing_that_changes(data):
    dataset = data.evaluated("train")
    alone = dataset.__getitems__([1])

    dataset.set_epoch(7, 3)
    beside = dataset.__getitems__([0, 1, 2])

    length = alone.x.shape[-1]
    assert torch.equal(beside.x[1:2, ..., :length], alone.x)


def test_a_batch_size_below_one_is_refused_with_its_key(name, data, root):
    arguments = {
        parameter: getattr(data, parameter)
        for parameter in inspect.signature(type(data)).parameters
        if hasattr(data, parameter) and parameter != "batch_size"
    }

    with pytest.raises(ValueError, match=r"data\.init_args\.batch_size"):
        type(data)(**arguments, batch_size=0)


def test_lengths_are_those_of_the_examples(data):
    dataset = data.dataset("val")
    indices = list(range(min(5, len(dataset))))

    assert dataset.lengths(np.array(indices)).tolist() == dataset.__getitems__(indices).counts.tolist()


def test_its_identity_is_that_of_the_data_wherever_it_lies(name, data, tmp_path):
    elsewhere = DATA_MODULES[name].build(tmp_path)

    assert elsewhere.identity.digest == data.identity.digest
    assert elsewhere.identity.train == len(data.dataset("train"))
    assert elsewhere.identity.val == len(data.dataset("val"))
