"""A model and data on which a trainer runs in a moment."""

import pytest
from lightning.pytorch.callbacks import Checkpoint

from lit_vae import LitVAE
from lit_vae.backbones import ConvVAE
from lit_vae.data import DigitsDataModule
from lit_vae.heads import LogisticPixelHead
from lit_vae.objectives import ELBO


@pytest.fixture
def data():
    return DigitsDataModule(batch_size=32)


@pytest.fixture
def vae(data):
    head = LogisticPixelHead(width=4, num_values=data.num_values, shape=data.shape, components=1)
    return LitVAE(ConvVAE(head.embed_width, head.positions, width=4, latent=2, halvings=1), head, ELBO(per="symbol"))


@pytest.fixture
def make_short_trainer(make_trainer):
    """Makes trainers of two steps and one batch of validation an epoch."""

    def make(*callbacks, **settings):
        saves = any(isinstance(callback, Checkpoint) for callback in callbacks)
        short = {"limit_train_batches": 2, "limit_val_batches": 1, "max_epochs": 1, "enable_checkpointing": saves}
        return make_trainer(callbacks=list(callbacks), **{**short, **settings})

    return make
