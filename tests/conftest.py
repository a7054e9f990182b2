"""What every test file shares: one thread, a seed, and an environment that a test cannot change for the next."""

import os
import warnings

import pytest
import torch
from lightning.pytorch import Trainer

from lit_vae.cli.quiet import quieten
from lit_vae.distributions import Gaussian

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Keeps what is kept between runs out of the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def isolated():
    """Seeds torch, and takes back what a run leaves in the environment, such as Lightning's seed of all loaders."""
    environment = dict(os.environ)
    torch.manual_seed(0)

    yield

    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def make_trainer(tmp_path):
    """Makes quiet trainers on the CPU that write nowhere but into the test's own folder."""
    with warnings.catch_warnings():
        quieten()
        yield lambda **settings: Trainer(
            **{
                "accelerator": "cpu",
                "devices": 1,
                "logger": False,
                "enable_checkpointing": False,
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "default_root_dir": tmp_path,
                **settings,
            }
        )


# ---- one latent layer of two examples, [2, 4, 3] ----


def gaussian(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return Gaussian(*(torch.randn(shape, generator=generator) for _ in range(2)))


@pytest.fixture
def prior():
    return gaussian(1, 2, 4, 3)


@pytest.fixture
def posterior():
    return gaussian(2, 2, 4, 3)


@pytest.fixture
def noise():
    return torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(3))
