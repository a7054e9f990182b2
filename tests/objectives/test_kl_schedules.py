"""The weight of the KL over the steps."""

import inspect
import math

import pytest
import torch
from contracts.registry import SCHEDULES

import lit_vae.objectives
from lit_vae.objectives import Cyclical, KLSchedule, Linear, Logistic

RATE = torch.tensor([2.0, 3.0], dtype=torch.float64)


def weights(schedule, *steps):
    return [schedule(step, RATE).item() for step in steps]


def test_every_schedule_of_the_package_is_registered():
    exported = (getattr(lit_vae.objectives, name) for name in lit_vae.objectives.__all__)
    classes = {item for item in exported if inspect.isclass(item) and issubclass(item, KLSchedule)}

    assert {type(make()) for make in SCHEDULES.values()} == {cls for cls in classes if not inspect.isabstract(cls)}


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_schedule_gives_one_number_between_zero_and_one_in_the_type_of_the_kl(make, dtype):
    schedule = make()

    found = [schedule(step, RATE.to(dtype)) for step in (*range(30), 10**6)]

    assert all(weight.shape == () and weight.dtype == dtype and 0 <= weight <= 1 for weight in found)


def test_a_line_begins_and_ends_where_it_is_told():
    assert weights(Linear(10), 0, 5, 10, 10_000) == [0, 0.5, 1, 1]
    assert weights(Linear(10, start=0.1), 0, 5, 10, 11) == pytest.approx([0.1, 0.55, 1, 1])
    assert weights(Linear(10, start=1.0, end=0.4, delay=2), 0, 2, 7, 12, 99) == pytest.approx([1, 1, 0.7, 0.4, 0.4])


def test_the_line_of_efficient_vdvae():
    line = Linear(5021, delay=21, floor=1e-4)

    assert weights(line, 1, 21, 5042, 20_000) == [1e-4, 1e-4, 1, 1]
    assert weights(line, 5000) == pytest.approx([(5000 - 21) / (21 + 5000)], rel=1e-15)


def test_the_line_of_nvae():
    total = 1000

    found = weights(Linear(int(0.3 * total), floor=1e-4), *range(total))

    assert found == pytest.approx([max(min(step / (0.3 * total), 1.0), 1e-4) for step in range(total)], rel=1e-12)


def test_the_logistic_curve_is_half_way_at_its_midpoint_and_never_overflows():
    curve = Logistic(2500, 0.0025, end=0.8)

    assert weights(curve, 2500) == [0.4]
    assert weights(curve, 0, 4000) == pytest.approx([0.8 / (1 + math.exp(6.25)), 0.8 / (1 + math.exp(-3.75))])
    assert weights(Logistic(10**9), 0) == pytest.approx([0], abs=1e-300)


def test_a_curve_in_tanh_is_the_same_curve():
    steps = (0, 3000, 3500, 5000)

    found = weights(Logistic(3500, 2 / 1000), *steps)

    assert found == pytest.approx([(math.tanh((step - 3500) / 1000) + 1) / 2 for step in steps])


def test_cycles_rise_and_stay_and_begin_again_until_all_are_over():
    cycles = Cyclical(40, cycles=4, rise=0.5)

    assert weights(cycles, 0, 1, 4, 5, 9) == pytest.approx([0, 0.2, 0.8, 1, 1])
    assert weights(cycles, *range(0, 10)) == weights(cycles, *range(30, 40))
    assert weights(cycles, 40, 41, 10_000) == [1, 1, 1]


def test_every_cycle_begins_at_zero_however_long():
    cycles = Cyclical(30, cycles=10)

    assert weights(cycles, *range(0, 30, 3)) == [0] * 10


def test_the_one_cycle_of_optimus_is_zero_then_a_rise_then_one():
    cycle = Cyclical(100, cycles=1, zero=0.5, rise=0.25)

    assert weights(cycle, 0, 50, 60, 75, 99, 100) == pytest.approx([0, 0, 0.4, 1, 1, 1])


def test_a_cycle_without_a_rise_jumps():
    assert weights(Cyclical(10, cycles=1, zero=0.5, rise=0.0, end=0.3), 4, 5, 12) == pytest.approx([0, 0.3, 0.3])


@pytest.mark.parametrize(
    ("schedule", "wrong", "words"),
    [
        (Linear, {"steps": 0}, "steps must be >= 1"),
        (Linear, {"steps": 5, "floor": -0.1}, "floor >= 0"),
        (Logistic, {"slope": 0.0}, "slope must be > 0"),
        (Cyclical, {"steps": 10, "cycles": 0}, "steps and cycles must be >= 1"),
        (Cyclical, {"steps": 10, "zero": 0.6}, r"zero \+ rise at most 1"),
    ],
)
def test_numbers_out_of_range_are_refused_by_their_key(schedule, wrong, words):
    with pytest.raises(ValueError, match=rf"model\.objective\.init_args\.kl_weight\.init_args.*{words}"):
        schedule(**wrong)
