"""A latent that must tell which symbols an example has."""

import pytest
import torch
from contracts.registry import BACKBONES, head_of
from contracts.test_regularizers import batch_of, pass_of

from lit_vae import LitVAE
from lit_vae.distributions import Gaussian
from lit_vae.latents import Latent, Layer
from lit_vae.objectives import ELBO
from lit_vae.regularizers import BagOfWords
from lit_vae.regularizers.bag_of_words import mean_position


def text_vae(regularizer):
    case = BACKBONES["recurrent"]
    backbone = case.build()
    return LitVAE(backbone, head_of(backbone, case.positions), ELBO("symbol"), regularizers=[regularizer]), case


def test_an_example_costs_the_log_probability_of_its_words_whatever_their_order():
    bag = BagOfWords(weight=0.5, hidden=6)
    vae, case = text_vae(bag)
    seen = pass_of(vae, batch_of(case))

    (nats,) = bag(vae, seen).values()

    by_hand = 0.0
    for z, words, mask in zip(seen.latents[0].z, seen.batch.x, seen.batch.mask, strict=True):
        scores = bag.predict(z).log_softmax(0)
        by_hand -= sum(scores[word].item() for word, there in zip(words, mask, strict=True) if there)
    assert nats.item() == pytest.approx(0.5 * by_hand / 4, rel=1e-5)


def test_a_constant_guess_costs_the_log_of_the_vocabulary_a_word():
    bag = BagOfWords()
    vae, case = text_vae(bag)
    with torch.no_grad():
        for parameter in bag.predict[2].parameters():
            parameter.zero_()
    batch = batch_of(case)

    (nats,) = bag(vae, pass_of(vae, batch)).values()

    assert nats.item() == pytest.approx(batch.counts.sum().item() / 4 * torch.tensor(4.0).log().item(), rel=1e-5)


def test_of_a_layer_with_positions_the_mean_of_those_that_are_there_is_read():
    z = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]]])
    standard = Gaussian(torch.zeros_like(z), torch.zeros(()))
    layer = Layer(0, "z", (3, 2))

    part = mean_position(Latent(layer, z, standard, standard, torch.tensor([[True, True, False]])))
    whole = mean_position(Latent(layer, z, standard, standard))

    assert part.tolist() == [[2.0, 4.0]]
    assert whole.tolist() == [pytest.approx([104 / 3, 36.0])]


def test_a_model_without_latents_is_refused(monkeypatch):
    vae, _ = text_vae(BagOfWords())
    monkeypatch.setattr(vae.backbone, "layers", lambda shape: [])

    with pytest.raises(ValueError, match=r"model\.regularizers reads a latent layer, and model\.backbone has none"):
        BagOfWords().setup(vae)


@pytest.mark.parametrize("wrong", [{"weight": -1.0}, {"hidden": 0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="of BagOfWords, weight counts up from 0 and hidden from 1"):
        BagOfWords(**wrong)
