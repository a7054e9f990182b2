"""A compiled backbone trains as a plain one does."""

import pytest
import torch

from lit_vae import LitVAE
from lit_vae.backbones import VDVAE
from lit_vae.callbacks import Compile
from lit_vae.heads import LogisticPixelHead
from lit_vae.objectives import ELBO


def made(data):
    torch.manual_seed(0)
    head = LogisticPixelHead(width=4, num_values=data.num_values, shape=data.shape, components=1)
    return LitVAE(VDVAE(1, (8, 8), "8d2,4x1", "4x1,8m4", width=4, latent=2), head, ELBO(per="symbol"))


def trained(data, make_short_trainer, *callbacks):
    vae = made(data)
    torch.manual_seed(0)
    make_short_trainer(*callbacks).fit(vae, data)
    return vae


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch's own, about its own code
def test_a_compiled_training_is_the_plain_one_to_rounding(data, make_short_trainer):
    plain = trained(data, make_short_trainer)

    compiled = trained(data, make_short_trainer, Compile())

    for name, value in compiled.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[name], atol=1e-4, rtol=1e-3)


def test_it_is_compiled_while_it_trains_and_plain_in_validation_and_afterwards(data, make_short_trainer, monkeypatch):
    settings, calls = [], []

    def counted(method, **given):
        settings.append(given)

        def run(*arguments):
            calls.append(method.__name__)
            return method(*arguments)

        return run

    monkeypatch.setattr(torch, "compile", counted)

    vae = trained(data, make_short_trainer, Compile(mode="max-autotune", dynamic=False))

    assert settings == [{"mode": "max-autotune", "dynamic": False}] * 2
    assert calls == ["bottom_up", "top_down"] * 2
    assert not {"bottom_up", "top_down"} & vars(vae.backbone).keys()
    assert list(vae.state_dict()) == list(made(data).state_dict())
