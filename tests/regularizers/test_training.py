"""Regularizers in a training run: added to the loss, logged, kept out of the bound."""

import pytest
import torch
from contracts.registry import BACKBONES, head_of
from contracts.test_regularizers import batch_of
from torch.utils.data import DataLoader

from lit_vae import LitVAE
from lit_vae.objectives import ELBO, Linear
from lit_vae.regularizers import MMD, BagOfWords, Regularizer, Spectral


class Fixed(Regularizer):
    """A term that is always the same."""

    def forward(self, vae, seen):
        return {"fixed": torch.tensor(3.0)}


def metrics_of(make_trainer, name, objective, regularizers):
    """What one training step logs."""
    case = BACKBONES[name]
    backbone = case.build()
    vae = LitVAE(backbone, head_of(backbone, case.positions), objective, regularizers=regularizers)
    trainer = make_trainer(max_steps=1, limit_val_batches=0)
    trainer.fit(vae, DataLoader([batch_of(case)], batch_size=None))
    return trainer.callback_metrics


@pytest.mark.parametrize(("per", "divisor"), [("symbol", (5 + 2 + 3 + 4) / 4), ("example", 1.0)])
def test_terms_enter_the_loss_as_nats_of_an_example_whatever_the_loss_is_per(make_trainer, per, divisor):
    metrics = metrics_of(make_trainer, "recurrent", ELBO(per), [Fixed(), BagOfWords(hidden=3)])

    added = metrics["train/reg/fixed"] + metrics["train/reg/bag_of_words"]
    assert metrics["train/reg/fixed"] == 3
    torch.testing.assert_close(metrics["train/loss"], (metrics["train/nelbo"] + added) / divisor)


def test_the_bound_is_the_same_with_them_and_without(make_trainer):
    parts = [[MMD(10.0), Spectral(0.1), BagOfWords()], None]

    regular, plain = (metrics_of(make_trainer, "ladder", ELBO("symbol"), regularizers) for regularizers in parts)

    assert {"train/reg/mmd", "train/reg/spectral", "train/reg/batch_norm", "train/reg/bag_of_words"} <= regular.keys()
    for name in ("train/nelbo", "train/rate", "train/distortion"):
        assert regular[name] == plain[name]
    assert regular["train/loss"] > plain["train/loss"]


def test_the_weight_of_the_kl_is_logged(make_trainer):
    metrics = metrics_of(make_trainer, "conv", ELBO("symbol", Linear(10, start=0.25)), None)

    assert metrics["train/kl_weight"] == 0.25


def test_two_terms_of_one_name_are_refused(make_trainer):
    with pytest.raises(ValueError, match=r"two of model\.regularizers have a term 'fixed'"):
        metrics_of(make_trainer, "conv", ELBO("symbol"), [Fixed(), Fixed()])
