from functools import cache, partial

import pytest
import torch
from golden import COMPONENTS, Tiny, formula, names, outputs, recorded

from lit_vae import LitVAE
from lit_vae.backbones import NVAE
from lit_vae.backbones.nvae_cells import lengths
from lit_vae.batch import Batch
from lit_vae.draws import from_posterior
from lit_vae.heads import BernoulliPixelHead, LogisticPixelHead
from lit_vae.importing import SYSTEMS, translate
from lit_vae.importing.names import head_order
from lit_vae.noise import Noise
from lit_vae.objectives import ELBO, SquareBalance
from lit_vae.regularizers import Spectral
from lit_vae.regularizers.spectral import CONVOLUTIONS, norm_scales, stacks

exactly = partial(pytest.approx, rel=1e-9)
"""The recordings that are quoted here have ten digits."""


SECTIONS = (
    "prior_ftr0",
    "stem",
    "pre_process",
    "enc_tower",
    "enc0",
    "enc_sampler",
    "dec_sampler",
    "nf_cells",
    "dec_tower",
    "post_process",
    "image_conditional",
)


class TinyNVAE(Tiny):
    """The tiny model. Its head applies the weights that the reference's learned lengths leave."""

    def __post_init__(self):
        self.backbone.double()
        self.head.double()
        values = self.weights()
        with torch.no_grad():
            for reference, value in values.items():
                if self.names[reference] == "head.output.log_length":
                    output = self.head.output.weight
                    output.mul_(value[head_order(COMPONENTS)].exp() / (lengths(output) + 1e-5))
                else:
                    parameter = self.parameter(reference)
                    parameter.copy_(self.in_our_order(reference, value).view(parameter.shape))

    def weights(self):
        """The reference's parameters, as their formulas say."""
        values = {}
        for i, (reference, ours) in enumerate(self.names.items()):
            if ours == "head.output.log_length":
                shape = (self.head.output.out_channels, 1, 1, 1)
            else:
                shape = self.parameter(reference).shape[reference == "prior_ftr0" :]
            value = formula(i, torch.Size(shape))
            values[reference] = 0.4 * value - 1.5 if reference.endswith("log_weight_norm") else value
        return values


def tiny_nvae(flows, mode):
    backbone = NVAE(3, (32, 32), "2x2", width=8, latent=4, encoder_cells=1, decoder_cells=1, flows=flows)
    head = LogisticPixelHead(8, 256, (3, 32, 32), components=2, kernel_size=3)
    return TinyNVAE(backbone.train(mode == "train"), head, names("nvae", backbone, SECTIONS), 32)


# ---- the reference's own numbers ----

CASES = pytest.mark.parametrize(("flows", "mode"), [(0, "eval"), (0, "train"), (1, "eval"), (1, "train")])

QUOTED = {
    (0, "eval"): (
        [3.254817814, 3.254817814, 2.530148988, 2.530130643],
        53.99938589,
        [-3032.094111, -3031.980903],
        [-3044.564277, -3044.465619],
        [0.08311832371, 0.08237962607, 0.08240947705, 0.08244409213],
        274.6669353,
    ),
    (0, "train"): (
        [3.254814538, 3.254814538, 2.530283199, 2.530292703],
        53.98990955,
        [-3032.091654, -3031.978468],
        [-3044.556936, -3044.458584],
        [0.08306598724, 0.08236692804, 0.08240604783, 0.08246700896],
        274.6901839,
    ),
    (1, "eval"): (
        [-9.934163346, -10.02172238, 15.80163246, 16.43777111],
        99.11499084,
        [-3032.447982, -3032.334723],
        [-3081.7383, -3082.159395],
        [0.1075344531, 0.1123754232, 0.1124110174, 0.1124442286],
        2001.815983,
    ),
    (1, "train"): (
        [-9.934159208, -10.02170831, 15.80403831, 16.44191086],
        99.09878,
        [-3032.446643, -3032.33547],
        [-3081.730966, -3082.149927],
        [0.1072741202, 0.1119031284, 0.1118353386, 0.1116902357],
        2002.001979,
    ),
}


@cache
def computed(flows, mode):
    """KL of each layer [layers, B], log q and log p [B], logits [B, P, H, W]."""
    tiny = tiny_nvae(flows, mode)
    features, latents = tiny.reconstruct()
    kls, log_q, log_p = (torch.stack([getattr(latent, n) for latent in latents]) for n in ("kl", "log_q", "log_p"))
    return kls, log_q.sum(0), log_p.sum(0), tiny.logits(features).movedim(-1, 1)


@CASES
def test_kl_and_logits_are_the_references(flows, mode):
    first_kls, sum_of_kls, log_q, log_p, first_logits, sum_of_logits = QUOTED[flows, mode]

    kls, our_log_q, our_log_p, logits = computed(flows, mode)

    assert kls.flatten()[:4].tolist() == exactly(first_kls)
    assert kls.sum().item() == exactly(sum_of_kls)
    assert our_log_q.tolist() == exactly(log_q)
    assert our_log_p.tolist() == exactly(log_p)
    assert logits[0, 0, 0, :4].tolist() == exactly(first_logits)
    assert logits.sum().item() == exactly(sum_of_logits)


@CASES
def test_every_number_recorded_of_the_reference_is_ours_to_rounding(flows, mode):
    output = outputs("nvae")[f"nf{flows}_{mode}"]

    for ours, name in zip(computed(flows, mode), ("kl_all", "log_q", "log_p", "logits"), strict=True):
        theirs = output[name]
        torch.testing.assert_close(ours.detach(), theirs.detach(), atol=1e-11, rtol=1e-11)


@CASES
def test_the_kl_is_balanced_as_the_references(flows, mode):
    output = outputs("nvae")[f"nf{flows}_{mode}"]
    tiny = tiny_nvae(flows, mode)
    features, latents = tiny.reconstruct()
    with torch.no_grad():
        log_prob, layers = tiny.head(features).log_prob(tiny.batch.x), tiny.backbone.layers((32, 32))

    terms = ELBO("example", 0.5, balance=SquareBalance())(log_prob, latents, tiny.batch.counts, 0)

    balance = SquareBalance()(terms.kls, layers, torch.tensor(0.5), 0)
    torch.testing.assert_close(balance, output["kl_coeffs"].detach(), atol=1e-11, rtol=1e-11)
    balanced = terms.loss + log_prob.mean()
    torch.testing.assert_close(balanced, output["balanced_kl"].mean().detach(), atol=1e-10, rtol=1e-11)


def regular_vae(flows):
    tiny = tiny_nvae(flows, "eval")
    return LitVAE(tiny.backbone, tiny.head, ELBO("example"), regularizers=[Spectral()])


@pytest.mark.parametrize("flows", [0, 1])
def test_batch_norms_are_scaled_as_the_references(flows):
    vae = regular_vae(flows)

    scales = [scale.detach().abs().max() for scale in norm_scales(vae)]

    torch.testing.assert_close(sum(scales), outputs("nvae")[f"nf{flows}_eval"]["bn_loss"].detach())


@pytest.mark.parametrize(("flows", "matrices"), [(0, 59), (1, 83)])
def test_singular_values_are_of_as_many_weights_as_the_references(flows, matrices):
    assert sum(map(len, stacks(regular_vae(flows), CONVOLUTIONS).values())) == matrices


@pytest.mark.parametrize("flows", [0, 1])
def test_names_shapes_and_weights_are_the_references(flows):
    statistics = ("running_mean", "running_var", "num_batches_tracked", "weight_normalized")
    learned = {n: v for n, v in outputs("nvae")[f"nf{flows}_state"].items() if not n.endswith(statistics)}
    lines = recorded("keys/nvae_tiny_keys.txt").read_text().splitlines()

    weights = tiny_nvae(flows, "eval").weights()

    listed = [line for line in lines if line.split()[0] in weights]
    assert [f"{name} {tuple(value.shape)}" for name, value in weights.items()] == listed
    assert list(weights) == list(learned)
    for name, value in learned.items():
        torch.testing.assert_close(weights[name], value, atol=1e-14, rtol=0)


def test_statistics_after_a_batch_are_the_references():
    tiny = tiny_nvae(1, "train")

    tiny.reconstruct()

    state = outputs("nvae")["state_dict"]
    scales = [name.removesuffix(".running_mean") for name in state if name.endswith(".running_mean")]
    assert len(scales) == len(norms(tiny.backbone))
    for name in scales:
        norm = tiny.backbone.get_submodule(tiny.names[f"{name}.weight"].removeprefix("backbone.").rpartition(".")[0])
        torch.testing.assert_close(norm.running_mean, state[f"{name}.running_mean"], atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(norm.running_var, state[f"{name}.running_var"], atol=1e-12, rtol=1e-12)


def norms(backbone):
    return [module for module in backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]


# ---- a padded model of binary pictures ----


@pytest.fixture(scope="module")
def mnist():
    """What was recorded of a padded model, and ours with its weights as the importer translates them."""
    output = outputs("nvae_mnist")
    sizes = {key: value for key, value in output["config"].items() if key not in ("head", "kernel_size")}
    backbone = NVAE(1, (28, 28), **sizes).double()
    head = BernoulliPixelHead(backbone.width, 2, (1, 28, 28), kernel_size=output["config"]["kernel_size"]).double()
    vae = LitVAE(backbone, head, ELBO("example")).eval()
    learned = {name: value.detach() for name, value in output["state_dict"].items()}
    vae.load_state_dict(vae.state_dict() | translate(SYSTEMS["nvae"], backbone, head, learned))
    return vae, output


class Recorded(Noise):
    """Noise that was recorded, channels first."""

    def __init__(self, tensors):
        self.tensors = iter(tensors)

    def normal(self, shape):
        return next(self.tensors).movedim(1, -1).reshape(shape)

    def uniform(self, shape):
        raise AssertionError("the recorded pass draws no uniform numbers")


@torch.no_grad()
def test_a_padded_model_computes_what_the_reference_does(mnist):
    vae, output = mnist
    batch = Batch(output["x"], None, torch.arange(2))

    distribution, latents = vae(batch, from_posterior, Recorded(output["noise"]))

    log_odds = distribution.table()[..., 1] - distribution.table()[..., 0]
    ours = {
        "logits": log_odds,
        "distortion": -distribution.log_prob(batch.x),
        "kl_all": torch.stack([latent.kl for latent in latents]),
        "log_q": torch.stack([latent.log_q for latent in latents]).sum(0),
        "log_p": torch.stack([latent.log_p for latent in latents]).sum(0),
    }
    for name, value in ours.items():
        theirs = torch.stack(output[name]) if isinstance(output[name], list) else output[name]
        torch.testing.assert_close(value, theirs.detach(), atol=1e-11, rtol=1e-11)
