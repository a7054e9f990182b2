import json
import os
import subprocess
import sys
from pathlib import Path

import exact
import mpmath
import pytest
import torch
from torch.nn.functional import logsigmoid

from lit_vae.distributions import fused_mixture
from lit_vae.distributions.fused_mixture import mixture_log_prob
from lit_vae.distributions.mixture_layout import MixtureLayout

FLOOR = -9.0
SIZES = [(1, 1, False), (1, 5, True), (3, 1, True), (3, 5, False), (3, 10, True), (4, 5, True)]
NUM_VALUES = [2, 17, 256, 65536]


def reference(params, codes, num_values, components, autoregressive, floor=FLOOR):
    """The definition, in float64 and elementary operations, [B, H, W]."""
    channels = codes.shape[1]
    sizes = MixtureLayout(channels, components, autoregressive=autoregressive).sizes
    logits, means, log_scales, coefficients = params.double().split(sizes, -1)
    means = means.unflatten(-1, (channels, components)).unbind(-2)
    log_scales = log_scales.unflatten(-1, (channels, components)).clamp(min=floor).unbind(-2)
    slopes = iter(coefficients.unflatten(-1, (-1, components)).tanh().unbind(-2))
    x = (2 * codes.double() / (num_values - 1) - 1).unsqueeze(-1).unbind(1)
    half_bin = 1 / (num_values - 1)
    joint = logits.log_softmax(-1) if components > 1 else 0.0
    for i in range(channels):
        centre = means[i] + sum(next(slopes) * x[j] for j in range(i if autoregressive else 0))
        sharpness = (-log_scales[i]).exp()
        upper = (x[i] + half_bin - centre) * sharpness
        lower = (x[i] - half_bin - centre) * sharpness
        inside = logsigmoid(upper) + logsigmoid(-lower) + torch.log(-torch.expm1(-2 * half_bin * sharpness))
        code = codes[:, i].unsqueeze(-1)
        ends = torch.where(code == 0, logsigmoid(upper), logsigmoid(-lower))
        joint = joint + torch.where((code == 0) | (code == num_values - 1), ends, inside)
    return joint.logsumexp(-1)


def example(num_values, channels, components, autoregressive, shape=(3, 4, 5), dtype=torch.float32, seed=0):
    """Parameters and codes: narrow and wide scales, means at an edge of the true bin, anywhere, and far outside."""
    generator = torch.Generator().manual_seed(seed)
    layout = MixtureLayout(channels, components, autoregressive=autoregressive)
    codes = torch.randint(num_values, (shape[0], channels, *shape[1:]), generator=generator)
    codes[:, :, 0, :2] = torch.tensor([0, num_values - 1])
    params = torch.randn(*shape, layout.size, generator=generator, dtype=dtype)
    parts = layout.split(params)
    parts.scales.uniform_(-9.0, 6.0, generator=generator)
    x = (2 * codes / (num_values - 1) - 1).movedim(1, -1).unsqueeze(-1).to(dtype)
    edges = x + torch.randint(-1, 2, parts.means.shape, generator=generator) / (num_values - 1)
    nearby = edges + parts.means * parts.scales.exp()
    parts.means.copy_(torch.cat([nearby[:1], parts.means[1:2], 30 * parts.means[2:]]))
    return params, codes


def gradient_of(log_prob, params, weights):
    params = params.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    (log_prob(params) * weights).sum().backward()
    return params.grad


def distance(tensor, to):
    """Between two tensors, relative to the norm of the second."""
    return ((tensor.double() - to).norm() / to.norm().clamp(min=1e-300)).item()


@pytest.mark.parametrize("num_values", NUM_VALUES)
@pytest.mark.parametrize(("channels", "components", "autoregressive"), SIZES)
def test_agrees_with_float64_and_so_does_the_gradient(channels, components, autoregressive, num_values):
    params, codes = example(num_values, channels, components, autoregressive)
    setting = (codes, num_values, components, autoregressive)
    weights = torch.randn(params.shape[:-1])

    fast = mixture_log_prob(params, *setting, FLOOR)
    gradient = gradient_of(lambda p: mixture_log_prob(p, *setting, FLOOR), params, weights)

    slow = reference(params, *setting)
    slow_gradient = gradient_of(lambda p: reference(p, *setting), params.double(), weights)
    sizes = MixtureLayout(channels, components, autoregressive=autoregressive).sizes
    assert fast.dtype == torch.float32
    assert (fast - slow).abs().sub(1e-5 * slow.abs() + 1e-6).max() <= 0
    for part, slow_part in zip(gradient.split(sizes, -1), slow_gradient.split(sizes, -1), strict=True):
        assert distance(part, slow_part) < 1e-5


@pytest.mark.parametrize("log_scale", [-9.0, -3.0, 1.0, 6.0])
@pytest.mark.parametrize(("num_values", "code"), [(2, 0), (2, 1), (256, 0), (256, 128), (256, 255), (65536, 40000)])
def test_one_logistic_agrees_with_sixty_digits_wherever_its_mean(num_values, code, log_scale):
    means = torch.tensor([-50.0, -1.0, 0.0, 0.003, 0.2207, 2.0])
    params = torch.stack([means, torch.full_like(means, log_scale)], -1).view(1, 1, -1, 2)
    codes = torch.full((1, 1, 1, len(means)), code)

    nats = mixture_log_prob(params, codes, num_values, 1, False, FLOOR)

    masses = [exact.mass(exact.logistic, num_values, code, mean, log_scale) for mean in means.tolist()]
    expected = torch.tensor([[[float(mpmath.log(mass)) for mass in masses]]], dtype=torch.float64)
    torch.testing.assert_close(nats.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("components", [1, 10])
@pytest.mark.parametrize(("channels", "num_values"), [(1, 2), (1, 256), (1, 65536), (2, 64), (3, 17)])
def test_masses_of_all_pixels_sum_to_one(channels, num_values, components, dtype, tolerance):
    levels = torch.arange(num_values)
    codes = torch.cartesian_prod(*[levels] * channels).view(1, -1, channels, 1).movedim(2, 1)
    pixel, _ = example(num_values, channels, components, True, shape=(3, 1, 2), dtype=dtype)
    MixtureLayout(channels, components).split(pixel).scales[..., 0].fill_(-9.0)

    for params in pixel.flatten(0, 2):
        params = params.expand(1, codes.shape[2], 1, -1)
        total = mixture_log_prob(params, codes, num_values, components, True, FLOOR).double().exp().sum()

        assert total.item() == pytest.approx(1.0, abs=tolerance)


@pytest.mark.parametrize(("channels", "components", "autoregressive"), SIZES)
def test_gradient_in_float64_equals_finite_differences(channels, components, autoregressive):
    params, codes = example(17, channels, components, autoregressive, shape=(1, 1, 3), dtype=torch.float64)
    MixtureLayout(channels, components, autoregressive=autoregressive).split(params).scales.clamp_(-3.0, 1.0)

    assert torch.autograd.gradcheck(
        lambda p: mixture_log_prob(p, codes, 17, components, autoregressive, FLOOR), params.requires_grad_()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [50.0, 1e4])
def test_huge_parameters_give_finite_numbers(size, dtype):
    params, codes = example(256, 3, 5, True, shape=(2, 8, 8))
    params = (size * torch.randn_like(params)).to(dtype).requires_grad_()

    nats = mixture_log_prob(params, codes, 256, 5, True, -7.0)
    nats.sum().backward()

    assert nats.isfinite().all()
    assert params.grad.isfinite().all()


def test_an_inner_bin_of_a_scale_without_end_pays_for_all_of_it():
    params = torch.tensor([0.5, 1000.0]).expand(1, 1, 3, 2)
    codes = torch.tensor([0, 100, 255]).view(1, 1, 1, 3)

    nats = mixture_log_prob(params, codes, 256, 1, False, FLOOR).flatten()
    gradient = gradient_of(lambda p: mixture_log_prob(p, codes, 256, 1, False, FLOOR), params, 1.0)

    inside = float(mpmath.log(mpmath.mpf(2) / 255 / 4) - 1000)
    torch.testing.assert_close(nats, torch.tensor([1 / 2, 1, 1 / 2]).log() + torch.tensor([0.0, inside, 0.0]))
    torch.testing.assert_close(gradient[0, 0, :, 1], torch.tensor([0.0, -1.0, 0.0]))


def test_a_log_scale_below_the_floor_counts_as_the_floor_and_has_no_gradient():
    params, codes = example(256, 1, 1, False, shape=(1, 1, 3))
    params[..., 0] = 0.1
    params[..., 1] = torch.tensor([-9.0, -3.0, -2.0])
    at_floor = params.clone()
    at_floor[..., 1].clamp_(min=-3.0)

    nats = mixture_log_prob(params, codes, 256, 1, False, -3.0)
    gradient = gradient_of(lambda p: mixture_log_prob(p, codes, 256, 1, False, -3.0), params, 1.0)

    assert torch.equal(nats, mixture_log_prob(at_floor, codes, 256, 1, False, -3.0))
    assert (gradient[0, 0, :, 1] != 0).tolist() == [False, True, True]


def test_bfloat16_parameters_are_read_as_they_are_and_their_gradient_is_rounded_last():
    params, codes = example(256, 3, 5, True)
    params = params.bfloat16()
    weights = torch.full(params.shape[:-1], 1 / 3)

    nats = mixture_log_prob(params, codes, 256, 5, True, FLOOR)
    gradient = gradient_of(lambda p: mixture_log_prob(p, codes, 256, 5, True, FLOOR), params, weights)

    assert torch.equal(nats, mixture_log_prob(params.float(), codes, 256, 5, True, FLOOR))
    fine = gradient_of(lambda p: mixture_log_prob(p, codes, 256, 5, True, FLOOR), params.float(), weights)
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient.float(), fine, rtol=2**-7, atol=1e-30)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pixels_of_weight_zero_have_no_gradient_and_change_no_other(dtype):
    params, codes = example(256, 3, 5, True)
    mask = torch.rand(params.shape[:-1]) < 0.5

    masked = gradient_of(lambda p: mixture_log_prob(p, codes, 256, 5, True, FLOOR), params.to(dtype), mask.float())

    full = gradient_of(lambda p: mixture_log_prob(p, codes, 256, 5, True, FLOOR), params.to(dtype), 1.0)
    assert torch.equal(masked, full * mask.unsqueeze(-1))


@pytest.mark.parametrize("tile", [1, 15 * 7, 15 * 20, 15 * 50])
def test_where_tiles_are_cut_does_not_matter(tile, monkeypatch):
    params, codes = example(256, 3, 5, True)
    whole = mixture_log_prob(params, codes, 256, 5, True, FLOOR)
    gradient = gradient_of(lambda p: mixture_log_prob(p, codes, 256, 5, True, FLOOR), params, 1.0)
    monkeypatch.setattr(fused_mixture, "TILE", tile)

    cut = mixture_log_prob(params, codes, 256, 5, True, FLOOR)
    cut_gradient = gradient_of(lambda p: mixture_log_prob(p, codes, 256, 5, True, FLOOR), params, 1.0)

    torch.testing.assert_close(cut, whole, rtol=1e-6, atol=1e-6)
    assert distance(cut_gradient, gradient.double()) < 1e-6


@pytest.mark.parametrize("tile", [15 * 7, 1 << 16])
def test_order_in_memory_does_not_matter_and_the_gradient_keeps_it(tile, monkeypatch):
    params, codes = example(256, 3, 5, True)
    planes = params.movedim(-1, 1).contiguous().movedim(1, -1)
    every_other = torch.stack([params, params], -1).flatten(-2)[..., ::2]
    monkeypatch.setattr(fused_mixture, "TILE", tile)

    gradients = [
        gradient_of(lambda p: mixture_log_prob(p, codes, 256, 5, True, FLOOR), p, 1.0)
        for p in (params, planes, every_other)
    ]

    assert gradients[1].stride() == planes.stride()
    assert distance(gradients[1], gradients[0].double()) < 1e-6
    assert distance(gradients[2], gradients[0].double()) < 1e-6


def test_any_integer_type_of_codes_will_do():
    params, codes = example(256, 3, 5, True)

    nats = [
        mixture_log_prob(params, codes.to(dtype), 256, 5, True, FLOOR)
        for dtype in (torch.uint8, torch.int32, torch.int64)
    ]

    assert torch.equal(nats[0], nats[1])
    assert torch.equal(nats[0], nats[2])


def test_a_graph_can_be_gone_through_twice_but_has_no_second_derivative():
    params, codes = example(256, 3, 5, True)
    params.requires_grad_()
    nats = mixture_log_prob(params, codes, 256, 5, True, FLOOR)

    (once,) = torch.autograd.grad(nats.sum(), params, retain_graph=True)
    (again,) = torch.autograd.grad(nats.sum(), params, retain_graph=True)
    (graph,) = torch.autograd.grad(nats.square().sum(), params, create_graph=True)

    assert torch.equal(once, again)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        graph.sum().backward()


def test_what_needs_no_gradient_computes_none():
    params, codes = example(256, 3, 5, True)
    asked = mixture_log_prob(params.clone().requires_grad_(), codes, 256, 5, True, FLOOR)

    with torch.no_grad():
        unasked = mixture_log_prob(params.requires_grad_(), codes, 256, 5, True, FLOOR)

    assert not unasked.requires_grad
    torch.testing.assert_close(asked, unasked)


def test_compiles_without_a_break():
    params, codes = example(256, 3, 5, True)

    @torch.compile(backend="aot_eager", fullgraph=True)
    def compiled(p):
        return 2 * mixture_log_prob(2 * p, codes, 256, 5, True, FLOOR)

    gradient = gradient_of(compiled, params, 1.0)

    eager = gradient_of(lambda p: 2 * mixture_log_prob(2 * p, codes, 256, 5, True, FLOOR), params, 1.0)
    torch.testing.assert_close(gradient, eager)


def test_a_wrong_number_of_parameters_names_components():
    with pytest.raises(ValueError, match=r"take 100 parameters a pixel, got 99.*components"):
        mixture_log_prob(torch.zeros(1, 2, 2, 99), torch.zeros(1, 3, 2, 2, dtype=torch.uint8), 256, 10, True, -7.0)


def test_a_floor_beyond_float32_is_refused():
    with pytest.raises(ValueError, match=r"log_scale_floor to -60"):
        mixture_log_prob(torch.zeros(1, 2, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.uint8), 256, 1, True, -100.0)


def test_the_kernels_agree_with_float64_in_triton_s_interpreter():
    pytest.importorskip("triton", reason="the kernels need triton")
    script = f"import json, {Path(__file__).stem} as tests; print(json.dumps(tests.errors_of_the_kernels()))"
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "TRITON_INTERPRET": "1"},
    )

    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout.splitlines()[-1])
    assert len(errors) == 2 * len(SIZES)
    for name, (log_prob_excess, gradient_distance) in errors.items():
        assert log_prob_excess <= 0, name
        assert gradient_distance < 1e-5, name


@pytest.mark.parametrize("differentiate", [False, True])
def test_the_kernels_compile_for_a_gpu(differentiate, tmp_path, monkeypatch):
    compiler = pytest.importorskip("triton.compiler", reason="the kernels need triton")
    from triton.backends.compiler import GPUTarget

    from lit_vae.distributions.fused_mixture_triton import _kernel

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    constants = {"LAST": 255, "C": 2, "K": 5, "K_PADDED": 8, "BLOCK": 16, "parameter_stride": 1}
    constants |= {"AUTOREGRESSIVE": True, "DIFFERENTIATE": differentiate}
    types = {"params": "*fp32", "codes": "*u8", "weights": "*fp32", "out": "*fp32", "floor": "fp32"}
    signature = {arg: "constexpr" if arg in constants else types.get(arg, "i32") for arg in _kernel.arg_names}

    compiled = compiler.compile(compiler.ASTSource(_kernel, signature, constants), target=GPUTarget("cuda", 90, 32))

    assert len(compiled.asm["cubin"]) > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("channels", "components", "autoregressive"), SIZES)
def test_a_gpu_agrees_with_the_processor(channels, components, autoregressive, dtype):
    params, codes = example(256, channels, components, autoregressive, dtype=dtype)
    weights = torch.randn(params.shape[:-1])

    def log_prob(p):
        return mixture_log_prob(p, codes.to(p.device), 256, components, autoregressive, FLOOR)

    torch.testing.assert_close(log_prob(params.cuda()).cpu(), log_prob(params), rtol=1e-5, atol=1e-6)
    gradient = gradient_of(log_prob, params.cuda(), weights.cuda())
    assert distance(gradient.cpu(), gradient_of(log_prob, params, weights).double()) < 1e-5


def errors_of_the_kernels():
    """By how much log p exceeds its tolerance, and the distance of the gradient; in triton's interpreter."""
    from lit_vae.distributions import fused_mixture_triton as kernels

    errors = {}
    alphabets = [2, 17, 65536, 256, 65536, 256]
    for num_values, (channels, components, autoregressive) in zip(alphabets, SIZES, strict=True):
        params, codes = example(num_values, channels, components, autoregressive)
        weights = torch.randn(params.shape[:-1])
        setting = (codes, num_values, components, autoregressive)
        slow = reference(params, *setting, floor=-7.0)
        slow_gradient = gradient_of(lambda p, s=setting: reference(p, *s, floor=-7.0), params.double(), weights)
        for order, laid in {"pixels": params, "planes": params.movedim(-1, 1).contiguous().movedim(1, -1)}.items():
            nats, gradient = torch.empty(params.shape[:-1]), torch.empty_like(laid)
            kernels.log_prob(laid, *setting, -7.0, nats)
            kernels.gradient(laid, codes, weights, *setting[1:], -7.0, gradient)
            excess = (nats - slow).abs().sub(1e-5 * slow.abs() + 1e-6).max().item()
            errors[f"{setting[1:]} {channels} {order}"] = excess, distance(gradient, slow_gradient)
    return errors
