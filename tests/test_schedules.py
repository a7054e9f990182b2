"""The learning rate goes where it is told, ends at its floor, and resumes."""

import math

import pytest
import torch

from lit_vae.cli import main
from lit_vae.schedules import LatePlateau, WarmupCosine


def optimizer(*rates):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=1.0)


def course(steps, rates=(1.0,), **arguments):
    """The rate of each update, of each group."""
    stepped = optimizer(*rates)
    schedule = WarmupCosine(stepped, **arguments)
    taken = []
    for _ in range(steps):
        taken.append([group["lr"] for group in stepped.param_groups])
        stepped.step()
        schedule.step()
    return taken


def test_the_rate_rises_in_a_line_stays_level_falls_in_a_cosine_and_ends_at_its_floor():
    rates = [rate for (rate,) in course(16, warmup=4, decay_start=6, decay_steps=8, floor=0.2)]

    falling = [0.2 + 0.8 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0, *falling, 0.2, 0.2])


@pytest.mark.parametrize("steps", [1, 7, 750])
def test_the_floor_is_reached_exactly_and_kept(steps):
    rates = [rate for (rate,) in course(3 * steps + 5, rates=[1e-3], decay_start=2, decay_steps=steps, floor=2e-4)]

    assert rates == sorted(rates, reverse=True)
    assert set(rates[2 + steps :]) == {2e-4}
    assert min(rates[: 2 + steps]) > 2e-4


def test_the_rate_stays_level_where_no_decay_is_asked_for():
    assert course(150, warmup=100)[99:] == [[1.0]] * 51


def test_the_rate_falls_right_after_the_warm_up_where_no_start_is_given():
    assert course(6, warmup=2, decay_steps=2) == [[0.5], [1.0], [1.0], [pytest.approx(0.5)], [0.0], [0.0]]


def test_each_group_of_parameters_falls_from_its_own_rate_to_the_floor():
    assert course(4, rates=[1.0, 0.5], decay_steps=2, floor=0.1)[1:3] == [pytest.approx([0.55, 0.3]), [0.1, 0.1]]


def test_a_schedule_resumes_exactly():
    arguments = {"warmup": 3, "decay_start": 4, "decay_steps": 9, "floor": 1e-3}
    whole = course(16, **arguments)
    stopped = optimizer(1.0)
    first = WarmupCosine(stopped, **arguments)
    for _ in range(7):
        stopped.step()
        first.step()
    resumed = optimizer(1.0)
    second = WarmupCosine(resumed, **arguments)

    resumed.load_state_dict(stopped.state_dict())
    second.load_state_dict(first.state_dict())

    rates = []
    for _ in range(9):
        rates.append([resumed.param_groups[0]["lr"]])
        resumed.step()
        second.step()
    assert rates == whole[7:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"warmup": -1}, r"model\.scheduler\.init_args\.warmup counts .* got -1"),
        ({"decay_steps": 0}, r"init_args\.decay_steps counts .* got 0"),
        ({"decay_start": 10}, r"decay_start 10 .* need decay_steps"),
        ({"floor": 0.1}, r"floor 0\.1 need decay_steps"),
        ({"warmup": 10, "decay_start": 9, "decay_steps": 1}, r"init_args\.decay_start .* 10, got 9"),
        ({"decay_steps": 1, "floor": 2.0}, r"init_args\.floor .* lr, 1\.0, got 2\.0"),
        ({"decay_steps": 1, "floor": -1.0}, r"init_args\.floor .* got -1\.0"),
        ({"decay_steps": 1, "floor": float("nan")}, r"init_args\.floor .* got nan"),
    ],
)
def test_numbers_out_of_range_are_refused_with_their_key(arguments, message):
    with pytest.raises(ValueError, match=message):
        WarmupCosine(optimizer(1.0), **arguments)


# ---- on a plateau ----


def rates_under(schedule, values):
    found = []
    for value in values:
        schedule.step(torch.tensor(value))
        found.append(schedule.get_last_lr()[0])
    return found


def test_the_rate_falls_where_validations_in_a_row_have_not_improved_on_the_one_at_its_last_fall():
    schedule = LatePlateau(optimizer(1.0), patience=2, first=0)

    found = rates_under(schedule, [5.0, 6.0, 4.0, 4.5, 4.6, 4.59, 4.7, 4.8])

    assert found == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]


def test_a_plateau_at_first_is_acted_on_once_the_first_validations_are_over():
    schedule = LatePlateau(optimizer(1.0), patience=2, first=4)

    assert rates_under(schedule, [1.0, 2.0, 3.0, 4.0, 5.0, 4.9]) == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]


def test_a_plateau_is_remembered_in_a_checkpoint():
    whole, stopped, resumed = (LatePlateau(optimizer(1.0), patience=2, first=1) for _ in range(3))
    expected = rates_under(whole, [1.0, 2.0, 3.0, 4.0, 5.0])
    rates_under(stopped, [1.0, 2.0])

    resumed.load_state_dict(stopped.state_dict())

    assert rates_under(resumed, [3.0, 4.0, 5.0]) == expected[2:] == [0.5, 0.5, 0.25]


@pytest.mark.parametrize("wrong", [{"factor": 1.0}, {"patience": 0}, {"first": -1}])
def test_a_plateau_out_of_range_names_its_key(wrong):
    with pytest.raises(ValueError, match=r"of model\.scheduler\.init_args, factor is between 0 and 1"):
        LatePlateau(optimizer(1.0), **wrong)


# ---- from a config ----

OPTIMIZERS = {
    "Adamax": "{lr: 1e-2, eps: 1e-3, weight_decay: 3e-4, foreach: true}",
    "AdamW": "{lr: 2e-4, betas: [0.9, 0.9], weight_decay: 0.01, fused: true}",
    "RAdam": "{lr: 1e-3, eps: 1e-8, weight_decay: 1e-2, decoupled_weight_decay: true, foreach: true}",
}
CONFIG = """
seed_everything: 0
model:
  backbone: {class_path: lit_vae.backbones.ConvVAE, init_args: {width: 4, latent: 2, halvings: 1}}
  head: {class_path: lit_vae.heads.LogisticPixelHead, init_args: {components: 1}}
  objective: {class_path: lit_vae.objectives.ELBO, init_args: {per: symbol}}
  optimizer: {class_path: torch.optim.OPTIMIZER, init_args: ARGUMENTS}
  scheduler: {class_path: lit_vae.schedules.WarmupCosine, init_args: {warmup: 2, decay_steps: 2, floor: FLOOR}}
data: {class_path: lit_vae.data.DigitsDataModule, init_args: {batch_size: 8}}
trainer: {max_steps: 4, limit_val_batches: 0, logger: false, enable_progress_bar: false, accelerator: cpu, devices: 1}
"""


@pytest.fixture
def fit(tmp_path):
    """Trains from a config, four steps."""

    def run(name, floor):
        config = CONFIG.replace("OPTIMIZER", name).replace("ARGUMENTS", OPTIMIZERS[name]).replace("FLOOR", floor)
        (tmp_path / "tiny.yaml").write_text(config, encoding="utf-8")
        words = ["--config", tmp_path / "tiny.yaml", "--run_dir", tmp_path / "run"]
        return main(["fit", *map(str, words)])

    return run


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizers_of_the_papers_take_their_arguments_from_a_config(fit, tmp_path, name):
    assert fit(name, "1e-5") == 0

    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    (group,) = checkpoint["optimizer_states"][0]["param_groups"]
    for argument in OPTIMIZERS[name].strip("{}").replace("betas: [0.9, 0.9], ", "").split(", "):
        key, _, value = argument.partition(": ")
        expected = {"true": True, "1e-5": 1e-5}.get(value) or float(value)
        assert group["initial_lr" if key == "lr" else key] == expected
    assert group["lr"] == 1e-5


def test_a_floor_above_the_rate_is_refused_before_a_run_directory_is_made(fit, tmp_path, capsys):
    assert fit("AdamW", "1e-2") != 0

    assert "model.scheduler.init_args.floor must be from 0 to the optimizer's own lr, 0.0002" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
