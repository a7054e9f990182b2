import sys

import pytest
import torch
from contracts import test_backbones as contract
from contracts.registry import WIDTH, BackboneCase

from lit_vae.backbones import BatchNormPosterior
from lit_vae.draws import FromPrior
from lit_vae.pretrained import HuggingFaceVAE

KINDS = [("bert", "mean"), ("gpt2", "last"), ("t5", "max"), ("llama", "mean")]


@pytest.fixture(params=KINDS, ids=lambda kind: kind[0])
def case(request, folders):
    name, pool = request.param

    def make(**arguments):
        return HuggingFaceVAE(folder=folders[name], width=WIDTH, latent=3, pool=pool, **arguments)

    return BackboneCase(make, (None,))


@pytest.mark.parametrize(
    "promise",
    [
        contract.test_features_keep_the_positions_and_layers_come_as_announced,
        contract.test_features_depend_on_neither_batch_size_nor_order,
        contract.test_no_example_sees_another,
        contract.test_what_the_mask_hides_does_not_change_the_bound,
        contract.test_a_mask_of_everything_is_no_mask,
        contract.test_double_precision_stays_double,
        contract.test_half_precision_keeps_the_latents_in_single,
    ],
    ids=lambda promise: promise.__name__,
)
def test_a_pretrained_encoder_keeps_the_promises_of_every_backbone(promise, case):
    promise(case, case.build())


def test_every_parameter_gets_a_gradient(case):
    contract.test_every_parameter_gets_a_gradient_through_the_bound(case)


@torch.no_grad()
def test_padding_does_not_change_the_posterior(case):
    backbone, features = case.build(), torch.randn(2, 7, WIDTH)
    mask = torch.arange(7) < torch.tensor([[3], [5]])

    together, alone = backbone.bottom_up(features, mask), backbone.bottom_up(features[:1, :3], None)
    noisy = backbone.bottom_up(torch.where(mask.unsqueeze(-1), features, torch.nan), mask)

    torch.testing.assert_close(together.mean[:1], alone.mean, atol=1e-5, rtol=1e-4)
    assert torch.equal(together.mean, noisy.mean)


@torch.no_grad()
def test_states_are_those_that_the_model_itself_makes_of_its_embeddings(folders):
    from transformers import AutoModel

    model, ids = AutoModel.from_pretrained(folders["bert"]).eval(), torch.tensor([[3, 4, 5]])
    backbone = HuggingFaceVAE(embed_width=8, shape=(None,), folder=folders["bert"], width=4, latent=2).eval()

    ours = backbone.bottom_up(model.get_input_embeddings()(ids), None)

    torch.testing.assert_close(ours.mean, backbone.posterior(model(ids).last_hidden_state.mean(1)).mean)


def test_a_frozen_model_neither_learns_nor_drops_out(folders):
    backbone = HuggingFaceVAE(8, (None,), folders["bert"], frozen=True, posterior=BatchNormPosterior).train()

    assert not backbone.encoder.training
    assert backbone.posterior.training
    assert {name.split(".")[0] for name, p in backbone.named_parameters() if p.requires_grad} == {"posterior", "show"}


def test_a_text_longer_than_the_positions_is_refused_and_one_drawn_is_not(folders):
    backbone = HuggingFaceVAE(8, (None,), folders["bert"], width=4, latent=2)

    with pytest.raises(ValueError, match=r"12 positions.*13 tokens.*data\.init_args\.max_length"):
        backbone.bottom_up(torch.zeros(1, 13, 8), None)

    assert backbone.top_down(None, [1, 13], FromPrior(), [torch.zeros(1, 2)], None)[0].shape == (1, 13, 4)


def test_a_folder_without_a_model_names_the_key(tmp_path):
    with pytest.raises(ValueError, match=r"model\.backbone\.init_args\.folder.*config\.json"):
        HuggingFaceVAE(8, (None,), str(tmp_path))


def test_without_transformers_the_extra_is_named(monkeypatch, folders):
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(ImportError, match=r"pip install 'lit_vae\[hf\]'"):
        HuggingFaceVAE(8, (None,), folders["bert"])
