"""What the sources of noise promise."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from lit_vae.noise import IndexedNoise, StreamNoise, open_interval, stream_seed

MAKERS = {
    "stream": lambda size: StreamNoise(3, 1, 4),
    "indexed": lambda size: IndexedNoise(torch.arange(size)),
}


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def make(request):
    return request.param


def test_normal_noise_is_standard_normal(make):
    noise = make(50).normal([50, 40, 20])

    assert noise.shape == (50, 40, 20)
    assert noise.dtype == torch.float32
    assert kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3


def test_uniform_noise_lies_strictly_inside_its_interval(make):
    noise = make(50).uniform([50, 40, 20])

    assert noise.dtype == torch.float32
    assert noise.min() > 0
    assert noise.max() < 1
    assert kstest(noise.flatten().numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("default", [torch.bfloat16, torch.float64])
def test_noise_is_in_single_precision_whatever_torch_makes_by_default(make, default):
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        normal, uniform = make(3).normal([3, 4]), make(3).uniform([3, 4])
    finally:
        torch.set_default_dtype(before)

    assert torch.equal(normal, make(3).normal([3, 4]))
    assert torch.equal(uniform, make(3).uniform([3, 4]))


def test_both_ends_of_the_interval_are_open():
    ends = open_interval(torch.tensor([0.0, 1 - 2.0**-24]))

    assert ends[0] > 0
    assert ends[1] < 1
    assert torch.logit(ends).isfinite().all()


def test_the_same_key_gives_the_same_noise_and_the_next_call_other_noise(make):
    first, again = make(3), make(3)

    draws = [first.normal([3, 5]), first.normal([3, 5])]

    assert torch.equal(draws[0], again.normal([3, 5]))
    assert not torch.equal(*draws)


def test_noise_without_an_axis_of_its_own_is_one_number_an_example(make):
    assert make(4).normal([4]).shape == make(4).uniform([4]).shape == (4,)


@torch.no_grad()
def test_indexed_noise_depends_on_neither_the_other_examples_nor_their_order():
    index = torch.tensor([5, 900, 2, 7])
    together = IndexedNoise(index)
    normal, uniform = together.normal([4, 3, 2]), together.uniform([4, 6])

    for position, example in enumerate(index):
        alone = IndexedNoise(example.unsqueeze(0))

        assert torch.equal(alone.normal([1, 3, 2])[0], normal[position])
        assert torch.equal(alone.uniform([1, 6])[0], uniform[position])


def test_more_positions_change_neither_the_noise_of_the_first_nor_that_of_later_calls():
    short, long = IndexedNoise(torch.tensor([7, 3])), IndexedNoise(torch.tensor([7, 3]))

    few = [short.normal([2, 3, 2]), short.normal([2, 5]), short.uniform([2, 4])]
    more = [long.normal([2, 8, 2]), long.normal([2, 5]), long.uniform([2, 9])]

    assert torch.equal(more[0][:, :3], few[0])
    assert torch.equal(more[1], few[1])
    assert torch.equal(more[2][:, :4], few[2])


def largest_correlation(streams, lags):
    """Of any two streams of normal noise [N, n], one of them shifted by up to so many places; with itself, from 1."""
    length = streams.shape[1]
    found = []
    for lag in range(lags):
        related = (streams[:, lag:] @ streams[:, : length - lag].T / (length - lag)).abs()
        found.append(related.fill_diagonal_(0.0).max() if lag == 0 else related.max())
    return max(found).item()


def runs_in_common(streams):
    """How many pairs of neighbouring numbers occur more than once in all of the streams [N, n]."""
    runs = torch.stack([streams[:, :-1], streams[:, 1:]], -1).flatten(0, 1)
    return len(runs) - len(runs.unique(dim=0))


def test_streams_of_calls_examples_and_seeds_are_unrelated_at_every_small_lag():
    """A shift by a few numbers is what a stream shows that begins too near the one before."""
    normal, uniform = [], []
    for seed in (0, 1, 2):
        noise = IndexedNoise(torch.tensor([0, 1, 2, 5]), seed)
        for _ in range(5):
            normal.append(noise.normal([4, 1000]))
            uniform.append(noise.uniform([4, 1000]))

    # A correlation of unrelated streams has a standard deviation of 0.03, and the largest of 3600 x 64 is near 0.15.
    assert largest_correlation(torch.cat(normal), lags=64) < 0.25
    # Of 24 bits a single number recurs by chance; two in a row do not.
    assert runs_in_common(torch.cat(uniform)) == 0


@pytest.mark.parametrize(("seed", "example"), [(0, 0), (3, 0), (0, 5), (7, 2**40)])
def test_the_noise_of_a_call_is_philox_at_its_key_and_counter(seed, example):
    noise = IndexedNoise(torch.tensor([example]), seed)

    calls = [noise.normal([1, 50]) for _ in range(3)]

    for number, call in enumerate(calls):
        # numpy takes key and counter as single integers here, where the package writes words
        there = np.random.Generator(np.random.Philox(key=seed + (example << 64), counter=number << 192))
        assert torch.equal(call[0], torch.from_numpy(there.standard_normal(50, dtype=np.float32)))


def test_indexed_noise_of_another_number_of_examples_is_refused():
    with pytest.raises(ValueError, match=r"2 examples.*\[3, 5\]"):
        IndexedNoise(torch.arange(2)).normal([3, 5])


def test_a_negative_seed_is_refused_with_its_flag():
    with pytest.raises(ValueError, match="--seed"):
        IndexedNoise(torch.arange(2), seed=-1)


def test_no_examples_have_no_noise():
    assert IndexedNoise(torch.arange(0)).normal([0, 3]).shape == (0, 3)


NEAR = [(seed, rank, step, batch) for seed in range(3) for rank in range(3) for step in range(3) for batch in range(3)]
OF_SEVERAL_LENGTHS = [(), (0,), (1,), (1, 0), (1, 0, 0, 0), (1, 0, 0, 0, 0), (0, 1), (2**32 + 1,), (2**32,), (1, 1)]


@pytest.mark.parametrize("keys", [NEAR, OF_SEVERAL_LENGTHS], ids=["near", "of several lengths"])
def test_different_keys_give_unrelated_streams(keys):
    streams = torch.stack([StreamNoise(*key).normal([2000]) for key in keys])

    assert len({stream_seed(*key) for key in keys}) == len(keys)
    assert largest_correlation(streams, lags=32) < 0.2


def test_a_large_number_in_a_key_is_not_several_small_ones():
    assert stream_seed(2**32 + 5, 1) != stream_seed(5, 1, 1)
    assert stream_seed(5 + 2**32 * 7) != stream_seed(5, 7)


def test_a_stream_leaves_the_global_generator_alone():
    before = torch.get_rng_state()

    StreamNoise(0).normal([100])
    IndexedNoise(torch.arange(3)).uniform([3, 4])

    assert torch.equal(torch.get_rng_state(), before)
