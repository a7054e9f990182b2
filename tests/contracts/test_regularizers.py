"""What every regularizer promises, beside every backbone."""

import inspect

import pytest
import torch

import lit_vae.regularizers
from contracts.registry import BACKBONES, REGULARIZERS, WIDTH, head_of
from lit_vae import Batch, LitVAE
from lit_vae.draws import from_posterior
from lit_vae.noise import StreamNoise
from lit_vae.objectives import ELBO
from lit_vae.regularizers import Pass, Regularizer


@pytest.fixture(params=BACKBONES.values(), ids=BACKBONES.keys())
def case(request):
    return request.param


@pytest.fixture(params=REGULARIZERS.values(), ids=REGULARIZERS.keys())
def make(request):
    return request.param


def vae_of(case, make, per="symbol"):
    backbone = case.build()
    return LitVAE(backbone, head_of(backbone, case.positions), ELBO(per), regularizers=[make()]).train()


def batch_of(case):
    """Four examples, ragged where they are texts."""
    shape = [4, *((5,) if case.is_text else (WIDTH, *case.positions))]
    x = torch.randint(4, shape, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(5) < torch.tensor([[5], [2], [3], [4]]) if case.is_text else None
    return Batch(x, mask, torch.arange(4))


def pass_of(vae, batch, step=0):
    noise = StreamNoise(0)
    distribution, latents = vae(batch, from_posterior, noise)
    terms = vae.objective(distribution.log_prob(batch.x), latents, batch.counts, step)
    return Pass(batch, distribution, latents, terms, noise, step)


def terms_of(vae, batch):
    (regularizer,) = vae.regularizers
    torch.manual_seed(0)
    return regularizer(vae, pass_of(vae, batch))


def test_every_regularizer_of_the_package_is_registered():
    exported = (getattr(lit_vae.regularizers, name) for name in lit_vae.regularizers.__all__)
    classes = {item for item in exported if inspect.isclass(item) and issubclass(item, Regularizer)}

    assert {type(make()) for make in REGULARIZERS.values()} == {cls for cls in classes if not inspect.isabstract(cls)}


def test_terms_are_single_numbers_that_train_the_model_and_what_the_regularizer_owns(case, make):
    vae = vae_of(case, make)

    terms = terms_of(vae, batch_of(case))
    sum(terms.values()).backward()

    assert terms
    assert all(nats.shape == () and nats.isfinite() and nats.dtype == torch.float32 for nats in terms.values())
    assert all(parameter.grad is not None for parameter in vae.regularizers.parameters())
    assert any(parameter.grad is not None for parameter in vae.backbone.parameters())


def test_a_loaded_model_has_the_terms_of_the_saved_one(case, make):
    saved, loaded = vae_of(case, make), vae_of(case, make)
    terms_of(saved, batch_of(case))
    with torch.no_grad():
        for parameter in saved.parameters():
            parameter.add_(0.01)

    loaded.load_state_dict(saved.state_dict())

    assert terms_of(loaded, batch_of(case)) == terms_of(saved, batch_of(case))


@pytest.mark.parametrize("name", [name for name, case in BACKBONES.items() if case.is_text])
def test_what_padding_holds_does_not_matter(name, make):
    case = BACKBONES[name]
    batch = batch_of(case)
    other = Batch(torch.where(batch.mask, batch.x, (batch.x + 1) % 4), batch.mask, batch.index)

    terms, others = (terms_of(vae_of(case, make), each) for each in (batch, other))

    assert {name: nats.item() for name, nats in terms.items()} == pytest.approx(
        {name: nats.item() for name, nats in others.items()}, rel=1e-5
    )
