"""What every test file shares: one thread, a seed, and an environment that a test cannot change for the next.

Equality to the last bit is asked only of one computation that runs twice: the same operations on the same shapes, as
when a run is resumed, or of copies and integers. Other rows, batches, paddings and processes round otherwise, on each
processor in its own way: they are close, in double precision to 1e-12, or their law is one of double precision. To see
what another processor would say: pytest --other-rounding.
"""

import os
import warnings
from contextlib import nullcontext

import pytest
import torch
from lightning.pytorch import Trainer
from rounding import OtherRounding

from lit_vae.cli.quiet import quieten
from lit_vae.distributions import Gaussian

torch.set_num_threads(1)


def refuses_half_precision():
    """Whether oneDNN has no LSTM in bfloat16 though torch believes it has.

    Torch asks the processor, oneDNN also ONEDNN_MAX_CPU_ISA, which stands for an older processor in some runs.
    """
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    except RuntimeError as error:
        return "LSTM forward propagation primitive" in str(error)
    return False


@pytest.fixture(autouse=True, scope="session")
def half_precision_of_an_older_processor():
    """Keeps oneDNN out of LSTMs in bfloat16 where it refuses them, as torch does on an older processor."""
    forward = torch.nn.LSTM.forward

    def without(self, *args, **kwargs):
        with warnings.catch_warnings(action="ignore", category=UserWarning), torch.backends.mkldnn.flags(enabled=False):
            return forward(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        if refuses_half_precision():
            patch.setattr(torch.nn.LSTM, "forward", without)
        yield


def pytest_addoption(parser):
    parser.addoption("--other-rounding", action="store_true", help="round matrix products as another processor might")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Runs a test, and the fixtures that it is the first to need, under another rounding where asked to."""
    traced = "compil" in item.name  # by torch, which takes no other mode beside its own
    with OtherRounding() if item.config.getoption("--other-rounding") and not traced else nullcontext():
        return (yield)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Keeps what is kept between runs, the key that signs them too, out of the user's own folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
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
