"""What every backbone promises."""

import dataclasses
import inspect

import pytest
import torch

import lit_vae.backbones
from contracts.registry import BACKBONES, WIDTH, head_of, vae_of
from lit_vae.backbones import Backbone, Unconditional
from lit_vae.batch import Batch
from lit_vae.distributions import FlowedGaussian
from lit_vae.draws import FromPrior, from_posterior, posterior_mean
from lit_vae.heads import SoftmaxTokenHead
from lit_vae.noise import IndexedNoise, StreamNoise
from lit_vae.vae import LitVAE

TEXT = [name for name, case in BACKBONES.items() if case.is_text]


@pytest.fixture(params=BACKBONES.values(), ids=BACKBONES.keys())
def case(request):
    return request.param


@pytest.fixture
def backbone(case):
    return case.build()


def features_of(shape, seed=1, dtype=torch.float32):
    """What a head embeds, [B, *S, embed_width]."""
    return torch.randn(*shape, WIDTH, generator=torch.Generator().manual_seed(seed)).to(dtype)


def noise_of(backbone, shape, seed=2):
    """Noise of each layer."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape[0], *layer.shape, generator=generator) for layer in backbone.layers(shape[1:])]


def constant(value):
    """A draw that takes neither prior, posterior nor noise into account."""
    return lambda prior, posterior, noise, layer: torch.full_like(prior.mean, value)


def reconstructed(backbone, features, noise, draw=from_posterior, mask=None):
    """Features and latents of some examples."""
    return backbone.top_down(backbone.bottom_up(features, mask), features.shape[:-1], draw, noise, mask)


def rows(noise, examples):
    """The noise of some examples."""
    return [tensor[examples] for tensor in noise]


def batch_of(case, size=3, seed=0):
    """Symbols for :func:`head_of`, ragged where they are texts."""
    generator = torch.Generator().manual_seed(seed)
    shape = [size, *((5,) if case.is_text else (WIDTH, *case.positions))]
    x = torch.randint(4, shape, generator=generator)
    mask = torch.arange(5) < torch.tensor([[5], [2], [3]]).repeat(size // 3 + 1, 1)[:size] if case.is_text else None
    return Batch(x, mask, torch.arange(size))


WITHOUT_LATENTS = {Unconditional}
"""Nothing to draw, and nothing to be promised of it: see tests/backbones/test_unconditional.py."""


def test_every_backbone_of_the_package_is_registered():
    exported = (getattr(lit_vae.backbones, name) for name in lit_vae.backbones.__all__)
    concrete = {cls for cls in exported if issubclass(cls, Backbone) and not inspect.isabstract(cls)}

    assert {type(case.build()) for case in BACKBONES.values()} == concrete - WITHOUT_LATENTS


def test_the_linked_arguments_are_arguments_by_name(backbone):
    assert {"embed_width", "shape", "width"} <= inspect.signature(type(backbone)).parameters.keys()


@torch.no_grad()
def test_features_keep_the_positions_and_layers_come_as_announced(case, backbone):
    shape = case.shape(3)

    features, latents = reconstructed(backbone, features_of(shape), noise_of(backbone, shape))

    layers = backbone.layers(shape[1:])
    assert features.shape == (*shape, backbone.width)
    assert [latent.layer for latent in latents] == layers
    assert [layer.index for layer in layers] == list(range(len(layers)))
    assert len({layer.name for layer in layers}) == len(layers)
    for latent in latents:
        shape_of_z = (3, *latent.layer.shape)
        assert latent.z.shape == latent.prior.mean.shape == latent.posterior.mean.shape == shape_of_z
        assert latent.kl.shape == (3,)
        # Where there is no closed form, log q - log p of one draw may be negative.
        assert (latent.kl > 0).all() or isinstance(latent.posterior, FlowedGaussian)


@torch.no_grad()
def test_a_divergence_without_a_closed_form_is_that_of_the_posteriors_own_draw_whatever_z_is(case, backbone):
    shape = case.shape(3)
    noise = noise_of(backbone, shape)

    _, latents = reconstructed(backbone, features_of(shape), noise, constant(7.0))

    for latent in latents:
        q = latent.posterior.base if isinstance(latent.posterior, FlowedGaussian) else latent.posterior
        bent = dataclasses.replace(latent, posterior=FlowedGaussian(q, lambda z: z + 1))
        z = q.push(noise[latent.layer.index]) + 1
        expected = q.log_prob(z - 1) - latent.prior.log_prob(z)
        torch.testing.assert_close(bent.kl, latent.total(expected))


@torch.no_grad()
def test_generation_needs_no_context_and_encodes_nothing(case, backbone):
    shape = case.shape(3)

    features, latents = backbone.top_down(None, shape, FromPrior(), noise_of(backbone, shape), None)

    assert features.shape == (*shape, backbone.width)
    assert [latent.layer for latent in latents] == backbone.layers(shape[1:])
    assert all(latent.posterior is None for latent in latents)


@torch.no_grad()
def test_the_draw_is_asked_once_a_layer_and_its_answer_is_taken(case, backbone):
    shape, asked, answers = case.shape(2), [], []
    noise = noise_of(backbone, shape)

    def spy(prior, posterior, given, layer):
        asked.append((layer, given, posterior is not None))
        answers.append(torch.full_like(prior.mean, 0.1 * (layer.index + 1)))
        return answers[-1]

    _, encoded = reconstructed(backbone, features_of(shape), noise, spy)
    _, generated = backbone.top_down(None, shape, spy, noise, None)

    layers = backbone.layers(shape[1:])
    assert [layer for layer, _, _ in asked] == 2 * layers
    assert all(torch.equal(given, expected) for (_, given, _), expected in zip(asked, 2 * noise, strict=True))
    assert [was_encoded for _, _, was_encoded in asked] == [True] * len(layers) + [False] * len(layers)
    assert all(torch.equal(latent.z, z) for latent, z in zip([*encoded, *generated], answers, strict=True))


@torch.no_grad()
def test_the_decoder_sees_an_example_through_z_alone(case, backbone):
    shape = case.shape(2)
    noises, inputs = (
        [make(shape, seed) for seed in (1, 2)] for make in (lambda s, n: noise_of(backbone, s, n), features_of)
    )

    one, one_latents = reconstructed(backbone, inputs[0], noises[0], constant(0.3))
    two, two_latents = reconstructed(backbone, inputs[1], noises[1], constant(0.3))
    generated, generated_latents = backbone.top_down(None, shape, constant(0.3), noises[0], None)
    other, _ = reconstructed(backbone, inputs[0], noises[0], constant(-0.3))

    assert torch.equal(one, two)
    torch.testing.assert_close(one, generated)
    assert not torch.allclose(one, other)
    for a, b, c in zip(one_latents, two_latents, generated_latents, strict=True):
        assert torch.equal(a.prior.mean, b.prior.mean)
        assert torch.equal(a.prior.log_scale, b.prior.log_scale)
        torch.testing.assert_close(a.prior.mean, c.prior.mean)
        assert not torch.allclose(a.posterior.mean, b.posterior.mean)


@torch.no_grad()
def test_the_same_noise_gives_the_same_features_and_other_noise_others(case, backbone):
    shape = case.shape(2)
    x = features_of(shape)

    first, again, other = (reconstructed(backbone, x, noise_of(backbone, shape, seed))[0] for seed in (2, 2, 3))

    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@torch.no_grad()
def test_every_layer_reaches_the_features(case, backbone):
    shape = case.shape(2)
    noise = noise_of(backbone, shape)
    before, _ = backbone.top_down(None, shape, FromPrior(), noise, None)

    for layer in backbone.layers(shape[1:]):
        changed = [tensor + (index == layer.index) for index, tensor in enumerate(noise)]
        after, _ = backbone.top_down(None, shape, FromPrior(), changed, None)

        assert not torch.allclose(before, after)


@torch.no_grad()
def test_features_depend_on_neither_batch_size_nor_order(case, backbone):
    shape, order = case.shape(5), torch.tensor([3, 1, 4, 0, 2])
    x, noise = features_of(shape), noise_of(backbone, shape)

    together, latents = reconstructed(backbone, x, noise)

    shuffled, shuffled_latents = reconstructed(backbone, x[order], rows(noise, order))
    torch.testing.assert_close(together[order], shuffled)
    for i in range(5):
        alone, alone_latents = reconstructed(backbone, x[i : i + 1], rows(noise, slice(i, i + 1)))
        torch.testing.assert_close(together[i : i + 1], alone)
        for here, there, elsewhere in zip(latents, alone_latents, shuffled_latents, strict=True):
            torch.testing.assert_close(here.kl[i : i + 1], there.kl, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(here.kl[order], elsewhere.kl, atol=1e-5, rtol=1e-4)


def test_no_example_sees_another(case, backbone):
    shape = case.shape(3)
    x = features_of(shape).requires_grad_()
    noise = [tensor.requires_grad_() for tensor in noise_of(backbone, shape)]

    features, latents = reconstructed(backbone, x, noise)

    bound = features[1].square().sum() + sum(latent.kl[1] for latent in latents)
    for gradient in torch.autograd.grad(bound, [x, *noise]):
        assert gradient[1].abs().sum() > 0
        assert gradient[[0, 2]].abs().sum() == 0


def test_every_parameter_gets_a_gradient_through_the_bound(case):
    torch.manual_seed(0)
    backbone = case.make(embed_width=WIDTH, shape=case.positions)
    vae = vae_of(head_of(backbone, case.positions), backbone).train()
    optimizer = torch.optim.SGD(vae.parameters(), 0.1)

    # More than once: what lies behind weights that start at zero gets its gradient after they have moved.
    for step in range(3):
        vae.terms(batch_of(case, 12), StreamNoise(step)).loss.backward()
        optimizer.step()

    silent = [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@torch.no_grad()
def test_double_precision_stays_double(case, backbone):
    shape = case.shape(2)

    features, latents = reconstructed(backbone.double(), features_of(shape).double(), noise_of(backbone, shape))

    assert features.dtype == torch.float64
    assert all(latent.kl.dtype == torch.float64 for latent in latents)


@torch.no_grad()
def test_half_precision_keeps_the_latents_in_single(case, backbone):
    shape = case.shape(2)
    noise = noise_of(backbone, shape)
    _, exact = reconstructed(backbone, features_of(shape), noise)

    with torch.autocast("cpu", torch.bfloat16):
        _, autocast = reconstructed(backbone, features_of(shape), noise)
    features, rounded = reconstructed(backbone.bfloat16(), features_of(shape).bfloat16(), noise)

    assert features.dtype == torch.bfloat16
    for right, *others in zip(exact, autocast, rounded, strict=True):
        for other in others:
            assert other.z.dtype == other.kl.dtype == torch.float32
            torch.testing.assert_close(other.kl, right.kl, atol=0.1, rtol=0.1)


@torch.no_grad()
def test_what_the_mask_hides_does_not_change_the_bound(case, backbone):
    vae = vae_of(head_of(backbone, case.positions), backbone)
    one, two = batch_of(case, seed=1), batch_of(case, seed=2)
    observed = one.mask if case.is_text else torch.rand(one.x.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    batches = [Batch(x, observed, one.index) for x in (one.x, torch.where(observed, one.x, two.x))]

    before, after = (vae.terms(batch, IndexedNoise(batch.index)) for batch in batches)

    assert torch.equal(before.kls, after.kls)
    assert torch.equal(before.distortion, after.distortion)


@torch.no_grad()
def test_a_mask_of_everything_is_no_mask(case, backbone):
    vae = vae_of(head_of(backbone, case.positions), backbone)
    one = batch_of(case)
    every = torch.ones_like(one.x, dtype=torch.bool)

    without, beneath = (vae.terms(Batch(one.x, mask, one.index), IndexedNoise(one.index)) for mask in (None, every))

    torch.testing.assert_close(without.kls, beneath.kls)
    torch.testing.assert_close(without.distortion, beneath.distortion)


def cropped(noise, backbone, length):
    """The noise of a shorter text."""
    layers = backbone.layers([length])
    return [tensor[(slice(None), *map(slice, layer.shape))] for tensor, layer in zip(noise, layers, strict=True)]


@torch.no_grad()
@pytest.mark.parametrize("name", TEXT)
def test_padding_a_text_does_not_change_the_bound(name):
    backbone, lengths = BACKBONES[name].build(), torch.tensor([[4], [1], [3]])
    noise = noise_of(backbone, [3, 9])
    short, long = (torch.arange(n).expand(3, -1) < lengths for n in (4, 9))

    features, latents = reconstructed(backbone, features_of([3, 9]), noise, mask=long)
    few, few_latents = reconstructed(backbone, features_of([3, 9])[:, :4], cropped(noise, backbone, 4), mask=short)

    torch.testing.assert_close(features[long], few[short])
    for padded, cut in zip(latents, few_latents, strict=True):
        torch.testing.assert_close(padded.kl, cut.kl)
    for i, length in enumerate(lengths.flatten().tolist()):
        one, own = slice(i, i + 1), cropped(rows(noise, slice(i, i + 1)), backbone, length)
        alone, alone_latents = reconstructed(backbone, features_of([3, 9])[one, :length], own)
        torch.testing.assert_close(features[one, :length], alone)
        for padded, cut in zip(latents, alone_latents, strict=True):
            torch.testing.assert_close(padded.kl[one], cut.kl)


@torch.no_grad()
@pytest.mark.parametrize("name", TEXT)
def test_no_feature_of_a_text_depends_on_the_number_of_tokens(name):
    backbone = BACKBONES[name].build()
    noise = noise_of(backbone, [3, 9])

    long, _ = backbone.top_down(None, [3, 9], FromPrior(), noise, None)
    short, _ = backbone.top_down(None, [3, 4], FromPrior(), cropped(noise, backbone, 4), None)

    torch.testing.assert_close(long[:, :4], short)


@torch.no_grad()
@pytest.mark.parametrize("name", TEXT)
def test_texts_of_all_lengths_share_one_unit_of_mass(name):
    backbone, end, longest = BACKBONES[name].build(), 2, 3
    head, noise = head_of(backbone, (None,), vocabulary=3), noise_of(backbone, [1, longest])

    mass = 0.0
    for length in range(1, longest + 1):
        features, _ = backbone.top_down(None, [1, length], FromPrior(), cropped(noise, backbone, length), None)
        texts = torch.cartesian_prod(*[torch.arange(3)] * length).view(-1, length)
        going_on = (texts[:, :-1] != end).all(1)
        over = texts[:, -1] == end if length < longest else torch.ones(len(texts), dtype=torch.bool)
        log_prob = head(features.expand(len(texts), -1, -1)).log_prob(texts)
        mass += log_prob.exp()[going_on & over].sum().item()

    assert mass == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", TEXT)
def test_an_evaluation_does_not_change_with_the_padding_of_its_batch(name):
    backbone = BACKBONES[name].build()
    vae, short = vae_of(head_of(backbone, (None,)), backbone), batch_of(BACKBONES[name])
    longer = Batch(*(torch.nn.functional.pad(tensor, (0, 4)) for tensor in (short.x, short.mask)), short.index)

    before, after = (vae.terms(batch, IndexedNoise(batch.index)) for batch in (short, longer))

    torch.testing.assert_close(after.kls, before.kls)
    torch.testing.assert_close(after.distortion, before.distortion)


@pytest.mark.parametrize("name", TEXT)
def test_the_embedding_of_every_token_that_is_read_learns_and_no_other(name):
    backbone = BACKBONES[name].build()
    head = SoftmaxTokenHead(backbone.width, 7, (None,), embed_width=WIDTH, tied=False)
    x, mask = torch.tensor([[0, 6, 2], [3, 6, 5]]), torch.tensor([[True, True, True], [True, True, False]])
    vae = vae_of(head, backbone)

    vae.terms(Batch(x, mask, torch.arange(2)), StreamNoise(0)).loss.backward()

    moved = head.table.weight.grad.abs().sum(1) > 0
    assert moved.tolist() == [token in (0, 2, 3, 6) for token in range(7)]


@torch.no_grad()
def test_a_model_comes_back_from_its_checkpoint(case, backbone, tmp_path, make_trainer):
    vae, batch = vae_of(head_of(backbone, case.positions), backbone), batch_of(case)
    trainer = make_trainer()
    trainer.strategy.connect(vae)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    fresh = case.make(embed_width=WIDTH, shape=case.positions)

    loaded = LitVAE.load_from_checkpoint(
        tmp_path / "model.ckpt",
        backbone=fresh,
        head=head_of(fresh, case.positions),
        objective=vae.objective,
    ).eval()

    (before, one), (after, two) = (model(batch, posterior_mean, IndexedNoise(batch.index)) for model in (vae, loaded))
    assert torch.equal(before.log_prob(batch.x), after.log_prob(batch.x))
    assert all(torch.equal(a.kl, b.kl) for a, b in zip(one, two, strict=True))
