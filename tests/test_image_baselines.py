"""The histogram and the logistic regression that a VAE of pictures is compared with."""

import importlib.util
import math
from pathlib import Path

import pytest
import torch

from lit_vae.cli.data import of_config
from lit_vae.data import ImageDataModule, ImageDataset

SCRIPT = Path(__file__).parents[1] / "scripts" / "image_baselines.py"
spec = importlib.util.spec_from_file_location("image_baselines", SCRIPT)
assert spec is not None
assert spec.loader is not None
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

VALUES = 3


class Pictures:
    """In the place of a data module: 1x2 pictures whose second pixel repeats the first."""

    num_values = VALUES

    def dataset(self, split):
        first = torch.randint(VALUES, (60, 1), generator=torch.Generator().manual_seed(len(split)))
        x = torch.cat([first, first], 1).view(60, 1, 1, 2).byte()
        return ImageDataset(x)


def test_the_histogram_shares_one_unit_of_mass_at_every_pixel():
    train = torch.tensor([[0, 2], [1, 2], [0, 2], [0, 1]])

    smoothed, counted = (script.histogram(train, VALUES, smoothing).exp() for smoothing in (0.5, 0.0))

    torch.testing.assert_close(smoothed.sum(1), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(counted, torch.tensor([[3, 1, 0], [0, 1, 3]], dtype=torch.float64) / 4)


def test_the_regression_shares_one_unit_of_mass_among_all_pictures():
    regression = script.LogisticRegression(3, VALUES)
    with torch.no_grad():
        regression.weights.normal_(generator=torch.Generator().manual_seed(0))
        regression.bias.normal_(generator=torch.Generator().manual_seed(1))
    everything = torch.cartesian_prod(*[torch.arange(VALUES)] * 3)

    mass = sum(math.exp(-3 * regression.nats(x.unsqueeze(0)).item()) for x in everything)

    assert mass == pytest.approx(1.0, abs=1e-5)


def test_a_pixel_that_repeats_another_costs_the_regression_next_to_nothing():
    table = script.baselines(Pictures())

    assert table["histogram"] == pytest.approx(math.log(VALUES), abs=0.1)
    assert table["logistic regression"] == pytest.approx(math.log(VALUES) / 2, abs=0.15)


def test_a_config_and_its_overrides_name_the_data():
    data = of_config("digits.yaml", ["--data.split_seed=3"], ImageDataModule)

    assert data.split_seed == 3
