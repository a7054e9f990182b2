"""What every backbone promises of its latents once they are written down."""

import pytest
import torch
from torch.nn.functional import pad

from contracts.registry import BACKBONES, WIDTH, head_of, vae_of
from lit_vae.batch import Batch
from lit_vae.draws import FromPrior, GivenNoise, Masked, TopLayers, from_posterior, posterior_mean
from lit_vae.latent_stack import LatentStack
from lit_vae.noise import IndexedNoise
from lit_vae.symbols import Pixels, Tokens
from lit_vae.tokenizers import CharacterTokenizer


@pytest.fixture(params=BACKBONES.values(), ids=BACKBONES.keys())
def case(request):
    return request.param


@pytest.fixture
def vae(case):
    backbone = case.build()
    model = vae_of(head_of(backbone, case.positions), backbone)
    if case.is_text:
        model.learn(Tokens("letters", CharacterTokenizer("abc", None), max_length=7))
    else:
        model.learn(Pixels("noise", 4, (WIDTH, *case.positions)))
    return model


@pytest.fixture
def batch(case):
    """Symbols, ragged where they are texts, their end symbol (3) at the last place that is observed."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(4, [3, *((5,) if case.is_text else (WIDTH, *case.positions))], generator=generator)
    mask = torch.arange(5) < torch.tensor([[5], [2], [3]]) if case.is_text else None
    return Batch(x, mask, torch.tensor([4, 1, 6]))


def same(one, other, batch):
    """Whether two distributions are, to the last bit: of likelihoods, and of all parameters that a draw looks at."""
    noise = [IndexedNoise(batch.index, seed=9) for _ in range(2)]
    likelihoods = torch.equal(one.log_prob(batch.x), other.log_prob(batch.x))
    return likelihoods and torch.equal(one.sample(noise=noise[0]), other.sample(noise=noise[1]))


@torch.no_grad()
@pytest.mark.parametrize("draw", [from_posterior, posterior_mean])
def test_decoding_what_was_encoded_is_the_pass_that_trains_bit_for_bit(vae, batch, draw):
    trained, latents = vae(batch, draw, IndexedNoise(batch.index))

    stack = vae.encode(batch, draw)
    decoded = vae.decode(stack)
    pieces = LatentStack.cat([stack[:1], stack[1:]])

    assert same(decoded, trained, batch)
    assert same(vae.decode(pieces), trained, batch)
    for mine, latent in zip(stack.layers, latents, strict=True):
        assert torch.equal(mine.z, latent.z)


@torch.no_grad()
@pytest.mark.parametrize("draw", [from_posterior, posterior_mean, FromPrior(), TopLayers(1)])
def test_sizes_are_those_of_the_bound_whatever_z_is_written(vae, batch, draw):
    terms = vae.terms(batch, IndexedNoise(batch.index))

    stack = vae.encode(batch, draw)

    torch.testing.assert_close(stack.nats, terms.rate)
    torch.testing.assert_close(stack.kls, terms.kls)
    # sums in double precision of what was computed in single
    torch.testing.assert_close(stack.information, vae.information([batch]), rtol=1e-5, atol=1e-6, check_dtype=False)


@torch.no_grad()
def test_a_mask_of_ones_is_no_mask_and_one_of_noughts_is_a_sample(vae, batch):
    stack = vae.encode(batch)
    ones, noughts = ([torch.full((), value) for _ in stack.layers] for value in (True, False))
    noise = IndexedNoise(batch.index, seed=2)

    plain, all_kept, none_kept = (vae.decode(stack, mask, 0.7, seed=2) for mask in (None, ones, noughts))

    positions = vae.head.position_mask(batch.mask)
    sample, _ = vae._decode(None, [3, *stack.positions], FromPrior(0.7), noise, positions, batch.mask)
    assert same(all_kept, plain, batch)
    assert same(none_kept, sample, batch)
    assert not (stack.layers and same(none_kept, plain, batch))


@torch.no_grad()
def test_what_is_encoded_depends_on_neither_batch_size_nor_order(vae, batch):
    stack = vae.encode(batch, seed=3)

    alone = vae.encode(batch[2:], seed=3)
    shuffled = vae.encode(batch[torch.tensor([1, 2, 0])], seed=3)

    for here, there, elsewhere in zip(stack.layers, alone.layers, shuffled.layers, strict=True):
        torch.testing.assert_close(here.z[2:], there.z)
        torch.testing.assert_close(here.z[[1, 2, 0]], elsewhere.z)
    for here, other in zip(stack.layers, vae.encode(batch, seed=4).layers, strict=True):
        assert not torch.allclose(here.z, other.z)


def test_the_information_of_a_variable_depends_on_neither_batches_nor_padding(case, vae, batch):
    whole, parts = vae.information([batch]), vae.information([batch[:1], batch[1:]])

    # sums in double precision of what was computed in single
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    if case.is_text:
        padded = Batch(pad(batch.x, (0, 2), value=3), pad(batch.mask, (0, 2)), batch.index)
        torch.testing.assert_close(vae.information([padded]), whole, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_the_place_of_a_draw_in_its_prior_leads_back_to_it(vae, batch):
    stack = vae.encode(batch)
    positions = vae.head.position_mask(batch.mask)

    _, latents = vae._decode(
        None,
        [3, *stack.positions],
        GivenNoise([layer.noise for layer in stack.layers]),
        IndexedNoise(batch.index),
        positions,
        batch.mask,
    )

    for layer, latent in zip(stack.layers, latents, strict=True):
        torch.testing.assert_close(latent.z, layer.z, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_top_of_a_stack_decodes_like_the_top_layers_of_a_pass(vae, batch):
    stack = vae.encode(batch, posterior_mean)

    for count in {0, 1, len(stack.layers)}:
        decoded = vae.decode(stack.top(count), temperature=0.5, seed=8)

        draw = TopLayers(count, posterior_mean, FromPrior(0.5))
        assert same(decoded, vae(batch, draw, IndexedNoise(batch.index, 8))[0], batch)


@torch.no_grad()
def test_a_stack_comes_back_from_its_file(vae, batch, tmp_path):
    stack = vae.encode(batch)

    stack.save(tmp_path / "latents.pt")
    loaded = LatentStack.load(tmp_path / "latents.pt")

    assert same(vae.decode(loaded), vae.decode(stack), batch)
    assert torch.equal(loaded.kls, stack.kls)
    assert loaded.positions == stack.positions
    assert loaded.symbols.state() == stack.symbols.state()


@torch.no_grad()
def test_what_was_encoded_is_shown_as_a_reconstruction(vae, batch):
    stack = vae.encode(batch, posterior_mean)

    shown, pairs = vae.show(stack), vae.reconstruct(batch)

    others = pairs.counterparts if hasattr(pairs, "texts") else list(pairs.images[1::2])
    mine = shown.texts if hasattr(shown, "texts") else list(shown.images)
    assert all(map(torch.equal, mine, others)) if isinstance(mine[0], torch.Tensor) else mine == others


@torch.no_grad()
def test_a_part_of_the_variables_is_reconstructed_without_measuring_them(vae, batch):
    none = [torch.tensor(False) for _ in vae.layers()]
    draw = Masked(none, posterior_mean, FromPrior(0.0))

    stack = vae.encode(batch, draw, measured=False)

    assert all(layer.kl is None for layer in stack.layers)
    assert all(layer.noise.abs().max() < 1e-6 for layer in stack.layers)
    assert len(vae.reconstruct(batch, draw)) in (3, 6)
