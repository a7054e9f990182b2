"""What reads and what writes, found by differentiation."""

import torch

from lit_vae import LitVAE
from lit_vae.backbones import RecurrentVAE
from lit_vae.batch import Batch
from lit_vae.heads import LSTMTokenHead
from lit_vae.objectives import ELBO
from lit_vae.sides import sides


def text_vae(**head):
    torch.manual_seed(0)
    made = LSTMTokenHead(4, 7, (None,), embed_width=5, hidden=6, **head)
    return LitVAE(RecurrentVAE(5, (None,), width=4, hidden=6, latent=3), made, ELBO(per="symbol"))


BATCH = Batch(torch.randint(7, (2, 4), generator=torch.Generator().manual_seed(0)), None, torch.arange(2))


def test_a_table_of_the_decoders_own_is_the_decoders():
    parts = sides(text_vae(own_table=True), BATCH)

    assert {name for name in parts.encoder if name.startswith("head.")} == {"head.table.weight"}
    assert {"head.reader.table.weight", "head.lstm.weight_hh_l0"} <= parts.decoder
    assert {"backbone.lstm.weight_hh_l0", "backbone.posterior.project.weight"} <= parts.encoder


def test_a_table_that_both_read_is_on_neither_side():
    parts = sides(text_vae(), BATCH)

    assert "head.table.weight" not in parts.encoder | parts.decoder


def test_finding_them_leaves_no_trace():
    vae = text_vae()
    before = {name: value.clone() for name, value in vae.state_dict().items()}

    sides(vae, BATCH)

    assert all(torch.equal(value, before[name]) for name, value in vae.state_dict().items())
    assert all(parameter.grad is None for parameter in vae.parameters())
    assert vae.training
