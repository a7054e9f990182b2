"""A controller that brings the KL to a target."""

import pytest
import torch
from torch import distributed

from lit_vae.objectives import TargetKL


def run(controller, kls, first=0):
    """The weight at each step, each of which sees one batch of two examples."""
    return [controller(first + i, torch.tensor([kl - 1, kl + 1])).item() for i, kl in enumerate(kls)]


def test_it_is_the_published_controller_one_step_later():
    kls, weights, integrated = [40.0, 30.0, 3.0, 21.0], [0.0], 0.0
    for kl in kls[:-1]:
        error = torch.tensor(20.0 - kl)
        integrated -= 1e-3 * error.item()
        weights.append(0.01 * (1 / (1 + error.exp())).item() + integrated)

    found = run(TargetKL(20.0, proportional=0.01, integral=1e-3), kls)

    assert found == pytest.approx(weights, rel=1e-5)


def test_it_brings_a_kl_that_answers_to_its_target():
    controller, kl = TargetKL(5.0, integral=1e-3), 0.0

    for step in range(5000):
        weight = controller(step, torch.tensor([kl])).item()
        kl = 10.0 / (1 + 4 * weight)

    assert kl == pytest.approx(5.0, abs=0.01)
    assert weight == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(("off", "bound"), [(1000.0, 1.0), (0.0, 0.0)])
def test_it_does_not_wind_up(off, bound):
    controller = TargetKL(20.0, integral=1e-2)
    assert run(controller, [off] * 500)[-1] == bound

    back = run(controller, [20.0 - (off - 20.0) / abs(off - 20.0) * 10.0] * 8, first=500)

    assert 0 < back[-1] < 1


def test_it_moves_once_per_optimizer_step_by_the_mean_of_what_was_accumulated():
    parts, whole = TargetKL(5.0, integral=0.1), TargetKL(5.0, integral=0.1)

    accumulated = [parts(step, torch.tensor([kl])).item() for step in range(3) for kl in (2.0, 10.0, 9.0)]

    assert accumulated[0::3] == accumulated[1::3] == accumulated[2::3]
    assert accumulated[::3] == pytest.approx([whole(step, torch.tensor([7.0])).item() for step in range(3)])
    assert accumulated[-1] > 0


def test_processes_move_it_together_by_the_mean_of_what_they_see(monkeypatch):
    """The other process always sees two examples of 12 nats where this one sees two of 4."""
    together, alone = TargetKL(5.0, integral=0.1), TargetKL(5.0, integral=0.1)
    expected = run(alone, [8.0, 8.0, 8.0])

    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed, "all_reduce", lambda value: value.add_(torch.tensor([24.0, 2.0])))

    assert run(together, [4.0, 4.0, 4.0]) == pytest.approx(expected)
    assert expected[-1] > 0


def test_evaluation_leaves_it_where_it_is():
    controller, undisturbed = TargetKL(5.0), TargetKL(5.0)
    run(controller, [9.0, 8.0])
    run(undisturbed, [9.0, 8.0])

    controller.eval()
    seen = [controller(2, torch.tensor([1000.0])) for _ in range(3)]
    controller.train()

    assert torch.equal(torch.stack(seen), undisturbed.weight.expand(3))
    assert run(controller, [7.0, 6.0], first=2) == run(undisturbed, [7.0, 6.0], first=2)


def test_a_saved_controller_goes_on_to_the_bit():
    kls = torch.linspace(1, 30, 20).tolist()
    unbroken, first, second = TargetKL(9.0), TargetKL(9.0), TargetKL(9.0)

    expected = run(unbroken, kls)
    run(first, kls[:7])
    second.load_state_dict(first.state_dict())

    assert run(second, kls[7:], first=7) == expected[7:]


def test_what_a_step_saw_does_not_change_under_its_gradient():
    controller, kl = TargetKL(1.0, integral=0.5, least=0.25), torch.tensor([3.0], requires_grad=True)

    loss = (controller(0, kl.detach()) * kl).sum()
    controller(1, kl.detach())
    loss.backward()

    assert kl.grad.item() == 0.25


@pytest.mark.parametrize("wrong", [{"nats": -1.0}, {"nats": 1.0, "least": 0.5, "most": 0.4}])
def test_numbers_out_of_range_are_refused_by_their_key(wrong):
    with pytest.raises(ValueError, match=r"model\.objective\.init_args\.kl_weight\.init_args"):
        TargetKL(**wrong)
