"""Latents as plain tensors: cut, joined, measured, saved, and refused where they do not belong."""

import dataclasses
import math

import pytest
import torch

from lit_vae.distributions import Gaussian
from lit_vae.latent_stack import LatentStack, StackedLayer
from lit_vae.latents import Latent, Layer
from lit_vae.symbols import Pixels

LAYERS = [Layer(0, "1x1.0", (1, 1, 2)), Layer(1, "2x4.0", (2, 4, 3))]
SYMBOLS = Pixels("noise", 5, (1, 4, 8))


def latent(layer, examples=3, mask=None, encoded=True):
    generator = torch.Generator().manual_seed(layer.index)
    prior, posterior = (
        Gaussian(*(torch.randn(examples, *layer.shape, generator=generator) for _ in range(2))) for _ in range(2)
    )
    noise = torch.randn(examples, *layer.shape, generator=generator)
    return Latent(layer, posterior.push(noise), prior, posterior if encoded else None, mask)


@pytest.fixture
def latents():
    return [latent(layer) for layer in LAYERS]


@pytest.fixture
def stack(latents):
    return LatentStack.of(latents, (4, 8), torch.tensor([7, 5, 2]), None, SYMBOLS, latents)


def equal(one, other):
    """Whether two stacks hold the same tensors."""
    tensors = [
        [stack.index, *(value for layer in stack.layers for value in vars(layer).values() if torch.is_tensor(value))]
        for stack in (one, other)
    ]
    return all(map(torch.equal, *tensors)) and len(tensors[0]) == len(tensors[1])


def test_a_stack_holds_the_draw_its_place_in_the_prior_the_posterior_and_the_divergence(stack, latents):
    for layer, source in zip(stack.layers, latents, strict=True):
        assert layer.name == source.layer.name
        assert torch.equal(layer.z, source.z)
        assert torch.equal(layer.mean, source.posterior.mean)
        assert torch.equal(layer.scale, source.posterior.scale)
        assert torch.equal(layer.kl, source.kl_elements)
        torch.testing.assert_close(source.prior.push(layer.noise), source.z)


def test_sizes_are_sums_of_the_divergence_in_nats_and_bits(stack, latents):
    kls = torch.stack([source.kl for source in latents])

    torch.testing.assert_close(stack.kls, kls)
    torch.testing.assert_close(stack.nats, kls.sum(0))
    torch.testing.assert_close(stack.bits, kls.sum(0) / math.log(2))
    first, second, total = stack.report()
    assert (first["layer"], first["variables"], second["variables"]) == ("1x1.0", 2, 24)
    assert total["layer"] == "total"
    assert total["variables"] == 26
    assert total["nats"] == pytest.approx(kls.sum(0).mean().item(), rel=1e-5)
    assert total["bits"] == pytest.approx(total["nats"] / math.log(2))


def test_information_is_the_mean_divergence_of_a_variable_over_examples_and_positions(stack, latents):
    for nats, source in zip(stack.information, latents, strict=True):
        torch.testing.assert_close(nats, source.kl_elements.mean((0, 1, 2)))


def test_a_size_is_that_of_the_sampled_pass_and_not_of_the_latents_that_are_written(latents):
    other = [dataclasses.replace(source, prior=source.prior.tempered(2.0)) for source in latents]

    sized = LatentStack.of(latents, (4, 8), torch.arange(3), None, SYMBOLS, other)
    unsized = LatentStack.of(latents, (4, 8), torch.arange(3), None, SYMBOLS)

    torch.testing.assert_close(sized.kls, torch.stack([source.kl for source in other]))
    with pytest.raises(ValueError, match=r"1x1\.0 has no KL: .* encode the examples again"):
        _ = unsized.kls


def test_positions_that_do_not_exist_take_no_room():
    layer = Layer(0, "z", (4, 3))
    mask = torch.tensor([[True, True, False, False]]).expand(3, -1)
    source = latent(layer, mask=mask)

    stack = LatentStack.of([source], (4,), torch.arange(3), mask, None, [source])

    torch.testing.assert_close(stack.nats, source.kl)
    assert (stack.layers[0].kl[:, 2:] == 0).all()
    torch.testing.assert_close(stack.information, [source.kl_elements[:, :2].mean((0, 1))])
    torch.testing.assert_close(LatentStack.cat([stack[:1], stack[1:]]).information, stack.information)


def test_examples_and_top_layers_can_be_cut_out_and_joined_again(stack):
    parts = [stack[:1], stack[torch.tensor([1, 2])]]

    assert [len(part) for part in parts] == [1, 2]
    assert equal(LatentStack.cat(parts), stack)
    assert stack[1:].index.tolist() == [5, 2]
    assert [layer.name for layer in stack.top(1).layers] == ["1x1.0"]
    assert equal(stack.to("cpu"), stack)
    assert stack.to("meta").layers[0].z.device.type == "meta"


def test_masks_are_joined_too(latents):
    mask = torch.tensor([[True, False], [True, True], [True, False]])
    stack = LatentStack.of(latents, (2,), torch.arange(3), mask)

    assert torch.equal(LatentStack.cat([stack[:2], stack[2:]]).mask, mask)


def test_what_was_not_encoded_has_no_size():
    stack = LatentStack.of([latent(layer, encoded=False) for layer in LAYERS], (4, 8), torch.arange(3))

    assert stack[:1].layers[0].mean is None
    with pytest.raises(ValueError, match=r"1x1\.0 has no KL: it was drawn from the prior alone"):
        _ = stack.nats


def test_a_model_without_latents_has_an_empty_stack():
    stack = LatentStack.of([], (4,), torch.arange(3))

    assert stack.nats.tolist() == [0, 0, 0]
    assert stack.report() == [{"layer": "total", "variables": 0, "nats": 0, "bits": 0}]


def test_a_stack_comes_back_from_a_file_that_holds_tensors_and_plain_values_alone(stack, tmp_path):
    stack[:2].save(tmp_path / "latents.pt")

    loaded = LatentStack.load(tmp_path / "latents.pt")

    assert equal(loaded, stack[:2])
    assert loaded.positions == (4, 8)
    assert loaded.symbols.state() == SYMBOLS.state()
    assert torch.load(tmp_path / "latents.pt", weights_only=True)["lit_vae_latents"] == 2


def test_a_file_of_the_first_format_is_read_without_its_sizes(stack, tmp_path):
    stack.save(tmp_path / "new.pt")
    torch.save({**torch.load(tmp_path / "new.pt", weights_only=True), "lit_vae_latents": 1}, tmp_path / "old.pt")

    old = LatentStack.load(tmp_path / "old.pt")

    assert all(torch.equal(layer.z, new.z) for layer, new in zip(old.layers, stack.layers, strict=True))
    with pytest.raises(ValueError, match="its file is older than such sizes: encode the examples again"):
        _ = old.information


def test_a_part_of_a_stack_takes_only_the_room_of_the_part(tmp_path):
    stack = LatentStack((StackedLayer("z", torch.zeros(100, 500), torch.zeros(100, 500)),), (4,), torch.arange(100))

    stack[:1].save(tmp_path / "one.pt")

    assert (tmp_path / "one.pt").stat().st_size < 20_000


def test_a_file_that_holds_no_latents_or_those_of_another_version_is_refused(stack, tmp_path):
    (tmp_path / "text.pt").write_text("no latents")
    torch.save({"state_dict": {}}, tmp_path / "model.pt")
    stack.save(tmp_path / "future.pt")
    torch.save({**torch.load(tmp_path / "future.pt", weights_only=True), "lit_vae_latents": 3}, tmp_path / "future.pt")

    for name, reason in {
        "text": "is no file of latents, or is damaged",
        "model": "reads latents of format 1 or 2, this file has none.*lit_vae encode writes one",
        "future": "reads latents of format 1 or 2, this file has 3",
    }.items():
        with pytest.raises(ValueError, match=reason):
            LatentStack.load(tmp_path / f"{name}.pt")
    with pytest.raises(FileNotFoundError):
        LatentStack.load(tmp_path / "missing.pt")


@pytest.mark.parametrize(
    ("layers", "symbols", "reason"),
    [
        (LAYERS[:1], None, r"they have 2 layers, the model 1"),
        ([Layer(0, "1x1.0", (1, 1, 9)), LAYERS[1]], None, r"layer 0 is 1x1\.0 \[1, 1, 2\], the model's is 1x1\.0 "),
        ([Layer(0, "z", (1, 1, 2)), LAYERS[1]], None, r"layer 0 is 1x1\.0 .*the model's is z"),
        (LAYERS, Pixels("digits", 17, (1, 4, 8)), r"theirs reads 'noise'.*something else than those of 'digits'"),
    ],
)
def test_a_model_that_did_not_write_a_stack_is_refused(stack, layers, symbols, reason):
    with pytest.raises(ValueError, match=f"another model's, decode them with the one that wrote them: {reason}"):
        stack.check(layers, symbols)


def test_a_model_of_the_same_layers_and_symbols_fits_and_so_does_the_top_of_a_stack(stack):
    stack.check(LAYERS, SYMBOLS)
    stack.check(LAYERS, None)
    stack.top(1).check(LAYERS, SYMBOLS)
