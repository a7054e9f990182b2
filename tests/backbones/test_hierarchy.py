import copy
import shutil
from functools import partial

import pytest
import torch
from packaging.version import Version

from lit_vae.backbones import NVAE, VDVAE, EfficientVDVAE
from lit_vae.backbones.hierarchy import layers_at
from lit_vae.batch import Batch
from lit_vae.draws import from_posterior
from lit_vae.heads import LogisticPixelHead
from lit_vae.noise import StreamNoise

SMALL = {
    "vdvae": partial(VDVAE, enc_blocks="8x2,8d2,4d4,1x1", dec_blocks="1x1,4m1,4x1,8m4,8x1"),
    "efficient vdvae": partial(EfficientVDVAE, up_strides="1,2,4,1", up_kernel_size="3x3,1"),
    "nvae": partial(NVAE, groups="2,2", encoder_cells=1, decoder_cells=1, flows=1),
}


@pytest.fixture(params=SMALL.values(), ids=SMALL.keys())
def make(request):
    """Makes a small model away from its initial values."""

    def made(**options):
        torch.manual_seed(0)
        backbone = request.param(3, (8, 16), width=32, latent=2, **options)
        with torch.no_grad():
            for parameter in backbone.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        return backbone

    return made


@pytest.fixture
def inputs(make):
    """An embedded batch, and noise."""
    noise = StreamNoise(0)
    shapes = [(8, 8, 16, 3), *((8, *layer.shape) for layer in make().layers((8, 16)))]
    return [noise.normal(shape) for shape in shapes]


def bound(backbone, inputs):
    """A number that every parameter moves."""
    x, *noise = inputs
    features, latents = backbone.top_down(backbone.bottom_up(x, None), x.shape[:-1], from_posterior, noise, None)
    return features.float().square().mean() + sum(latent.kl.mean() for latent in latents)


def gradients(backbone, loss):
    return torch.autograd.grad(loss, list(backbone.parameters()))


def kept(backbone, inputs):
    """Bytes that the backward pass needs besides the parameters, and the loss."""
    storages = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = bound(backbone, inputs)
    parameters = {parameter.untyped_storage().data_ptr() for parameter in backbone.parameters()}
    return sum(storage.nbytes() for place, storage in storages.items() if place not in parameters), loss


def test_layers_are_named_by_size_and_number():
    layers = layers_at([(1, 2), (2, 4), (2, 4)], latent=3)

    assert [layer.name for layer in layers] == ["1x2.0", "2x4.0", "2x4.1"]
    assert [layer.index for layer in layers] == [0, 1, 2]
    assert layers[1].shape == (2, 4, 3)


def test_recomputing_keeps_less_and_changes_neither_gradients_nor_statistics(make, inputs):
    plain, recomputing = make(), make(recompute=True)

    all_kept, loss = kept(plain, inputs)
    few_kept, same = kept(recomputing, inputs)

    assert few_kept < 0.3 * all_kept
    assert torch.equal(loss, same)
    for one, other in zip(gradients(plain, loss), gradients(recomputing, same), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(plain.buffers(), recomputing.buffers(), strict=True):
        assert torch.equal(one, other)


def test_half_precision_keeps_about_half(make, inputs):
    backbone = make()

    exact_kept, exact = kept(backbone, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        rounded_kept, rounded = kept(backbone, inputs)

    assert rounded_kept < 0.6 * exact_kept
    torch.testing.assert_close(rounded, exact, atol=0.02, rtol=0.02)


def test_recomputing_in_half_precision_changes_nothing_either(make, inputs):
    plain, recomputing = make(), make(recompute=True)

    with torch.autocast("cpu", torch.bfloat16):
        loss, same = bound(plain, inputs), bound(recomputing, inputs)

    assert torch.equal(loss, same)
    for one, other in zip(gradients(plain, loss), gradients(recomputing, same), strict=True):
        assert torch.equal(one, other)


def test_channels_lie_last_in_memory_behind_every_convolution(make, inputs):
    backbone, strays = make(), []
    for name, module in backbone.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, args, y, name=name: strays.append((name, y)))

    bound(backbone, inputs)

    assert strays
    assert [name for name, y in strays if not y.is_contiguous(memory_format=torch.channels_last)] == []


def nats(backbone, head, batch, noise):
    """The bound of each example, nats per symbol."""
    features = head.embed(batch)
    context = backbone.bottom_up(features, None)
    features, latents = backbone.top_down(context, features.shape[:-1], from_posterior, noise, None)
    return (sum(latent.kl for latent in latents) - head(features).log_prob(batch.x)) / batch.counts


@torch.no_grad()
def test_the_bound_of_a_picture_is_the_same_in_half_precision_to_its_rounding(make, inputs):
    backbone, head = make(), LogisticPixelHead(32, 256, (3, 8, 16))
    batch = Batch(torch.randint(256, (8, 3, 8, 16)).to(torch.uint8), None, torch.arange(8))

    exact = nats(backbone, head, batch, inputs[1:])
    with torch.autocast("cpu", torch.bfloat16):
        rounded = nats(backbone, head, batch, inputs[1:])

    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, atol=0.0, rtol=2**-8)


TINY_NVAE = partial(NVAE, groups=1, outer_cells=1, encoder_cells=1, decoder_cells=1, flows=1)


@pytest.mark.skipif(
    Version(torch.__version__) < Version("2.15"),
    reason="an older compiler, such as torch 2.11's, loses what a distribution carries out of a traced function",
)
@pytest.mark.parametrize(
    ("make_tiny", "backend"),
    [
        (partial(VDVAE, enc_blocks="2d2,1x1", dec_blocks="1x1,2m1", recompute=True), "eager"),
        (partial(EfficientVDVAE, up_strides="2,1", recompute=True), "eager"),
        (TINY_NVAE, "eager"),
        # Statistics are counted once only where the backend takes the graph of both passes.
        pytest.param(partial(TINY_NVAE, recompute=True), "aot_eager", marks=pytest.mark.slow),
    ],
)
def test_compiling_without_a_break_changes_neither_gradients_nor_statistics(make_tiny, backend):
    torch.manual_seed(0)
    one = make_tiny(3, (2, 2), width=8, latent=2)
    other = copy.deepcopy(one)
    inputs = [torch.randn(2, 2, 2, 3), *(torch.randn(2, *layer.shape) for layer in one.layers((2, 2)))]
    compiled = torch.compile(bound, backend=backend, fullgraph=True)

    eager, traced = bound(one, inputs), compiled(other, inputs)
    slopes = zip(gradients(one, eager), gradients(other, traced), strict=True)

    torch.testing.assert_close(traced, eager)
    for expected, slope in [*slopes, *zip(one.buffers(), other.buffers(), strict=True)]:
        torch.testing.assert_close(slope, expected)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="on a processor torch compiles to C++")
@pytest.mark.parametrize(
    "make_tiny",
    [
        partial(VDVAE, enc_blocks="2d2,1x1", dec_blocks="1x1,2m1"),
        partial(EfficientVDVAE, up_strides="2,1"),
        TINY_NVAE,
    ],
)
@torch.no_grad()
def test_the_bound_of_a_picture_is_the_same_compiled(make_tiny):
    torch.manual_seed(0)
    backbone, head = make_tiny(3, (2, 2), width=8, latent=2), LogisticPixelHead(8, 256, (3, 2, 2))
    batch = Batch(torch.randint(256, (2, 3, 2, 2)).to(torch.uint8), None, torch.arange(2))
    noise = [torch.randn(2, *layer.shape) for layer in backbone.layers((2, 2))]

    exact = nats(backbone, head, batch, noise)
    compiled = torch.compile(nats)(backbone, head, batch, noise)

    torch.testing.assert_close(compiled, exact, atol=0.0, rtol=1e-4)
