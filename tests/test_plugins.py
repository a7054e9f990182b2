"""A head, a backbone, an objective and a data module in a user's own file, from YAML to a reloaded model."""

import sys
import textwrap

import pytest
import torch

from lit_vae import LitVAE
from lit_vae.cli import main

OWN_FILE = '''
import torch
from torch import nn
from torch.nn.functional import softplus

from lit_vae.backbones import Backbone
from lit_vae.batch import Batch
from lit_vae.data import SymbolDataModule, SymbolDataset
from lit_vae.distributions import Gaussian, SymbolDistribution
from lit_vae.heads import DecoderHead
from lit_vae.latents import Latent, Layer
from lit_vae.objectives import Objective, Terms, stack_kls
from lit_vae.symbols import Pixels


class Geometric(SymbolDistribution):
    """Each level as likely as the one below it times a ratio."""

    def __init__(self, logits, num_values, mask):
        super().__init__(len(logits), tuple(logits.shape[1:]))
        levels = torch.arange(num_values, device=logits.device)
        self.table = (logits.float().unsqueeze(-1) * levels).log_softmax(-1)
        self.mask = mask

    def log_prob(self, value):
        nats = self.table.gather(-1, value.long().unsqueeze(-1)).squeeze(-1)
        return (nats if self.mask is None else nats * self.mask).flatten(1).sum(1)

    def draw(self, decoding, noise):
        if decoding.temperature == 0:
            return self.mode
        uniform = noise.uniform(self.table.shape[:-1]).to(self.table.device)
        cumulative = (self.table / decoding.temperature).softmax(-1).cumsum(-1)
        return (cumulative < uniform.unsqueeze(-1)).sum(-1).clamp(max=self.table.shape[-1] - 1).to(torch.uint8)

    @property
    def mode(self):
        return self.table.argmax(-1).to(torch.uint8)


class GeometricHead(DecoderHead):
    """Levels of a row of pixels.

    Args:
        width: Linked.
        num_values: Linked.
        shape: Linked.
        sharpness: Multiplies the logits.
    """

    rate_name = "bits_per_dim"

    def __init__(self, width: int, num_values: int, shape: tuple[int, ...], sharpness: float = 1.0):
        super().__init__(width, num_values, shape)
        self.embed_width, self.positions = 1, self.shape[1:]
        self.sharpness = sharpness
        self.output = nn.Linear(width, 1)

    def embed(self, batch):
        return batch.x.to(self.output.weight.dtype).movedim(1, -1) / self.num_values

    def position_mask(self, mask):
        return None if mask is None else mask.any(1)

    def forward(self, features, mask=None):
        return Geometric(self.sharpness * self.output(features).movedim(-1, 1), self.num_values, mask)

    def report(self, nats, examples, symbols, units):
        return {"bits_per_dim": nats / symbols / 0.6931471805599453}


class OneNumber(Backbone):
    """One latent number.

    Args:
        embed_width: Linked.
        shape: Linked.
        width: Of the features.
        hidden: Of the encoder.
    """

    def __init__(self, embed_width: int, shape: tuple[int, ...], width: int = 3, hidden: int = 5):
        super().__init__(width)
        positions = shape[0] * shape[1]
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(embed_width * positions, hidden), nn.Linear(hidden, 2))
        self.decode = nn.Linear(1, positions * width)

    def layers(self, shape):
        return [Layer(0, "number", (1,))]

    def bottom_up(self, features, mask):
        return Gaussian(*self.encode(features).chunk(2, -1))

    def top_down(self, context, shape, draw, noise, mask):
        prior = Gaussian(torch.zeros_like(noise[0]), torch.zeros_like(noise[0]))
        (layer,) = self.layers(shape[1:])
        z = draw(prior, context, noise[0], layer)
        return self.decode(z).view(*shape, self.width), [Latent(layer, z, prior, context)]


class PenalisedBound(Objective):
    """The bound, its KL squeezed.

    Args:
        squeeze: How much.
    """

    def __init__(self, squeeze: float):
        super().__init__()
        self.squeeze = squeeze

    def forward(self, log_prob, latents, counts, step):
        kls = stack_kls(log_prob, latents)
        return Terms((softplus(kls.sum(0)) * self.squeeze - log_prob).mean(), -log_prob, kls)


class Ramps(SymbolDataset):
    def __init__(self, number):
        self.number = number

    def __len__(self):
        return self.number

    def __getitems__(self, indices):
        index = torch.tensor(indices)
        levels = (torch.arange(6) * (index % 3 + 1).unsqueeze(1) // 3).clamp(max=3)
        return Batch(levels.view(-1, 1, 2, 3).to(torch.uint8), None, index)


class RampData(SymbolDataModule):
    """Rising rows.

    Args:
        number: Of examples in each split.
        batch_size: Examples a batch.
    """

    def __init__(self, number: int = 20, batch_size: int = 5):
        super().__init__(batch_size)
        self.number = number

    @property
    def symbols(self):
        return Pixels("ramps", 4, (1, 2, 3))

    def dataset(self, split):
        return Ramps(self.number)
'''

CONFIG = """
model:
  backbone: {class_path: my_own_parts.OneNumber, init_args: {hidden: 7}}
  head: {class_path: my_own_parts.GeometricHead, init_args: {sharpness: 2.0}}
  objective: {class_path: my_own_parts.PenalisedBound, init_args: {squeeze: 0.5}}
  optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.05}}
data: {class_path: my_own_parts.RampData, init_args: {number: 30}}
trainer:
  {max_epochs: 3, logger: false, enable_progress_bar: false, accelerator: cpu, devices: 1}
"""
QUIET = ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]


@pytest.fixture
def user(tmp_path, monkeypatch, make_trainer):
    """A folder with the user's file and config, from which commands are run."""
    (tmp_path / "my_own_parts.py").write_text(textwrap.dedent(OWN_FILE), encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("my_own_parts", None)


def test_parts_of_a_users_own_train_are_saved_and_come_back(user, capsys):
    assert main(["fit", "--config", "mine.yaml", "--run_dir", "run"]) == 0

    vae = LitVAE.load_from_checkpoint("run")

    assert type(vae.head).__module__ == type(vae.backbone).__module__ == "my_own_parts"
    assert (vae.head.sharpness, vae.objective.squeeze) == (2.0, 0.5)
    assert vae.backbone.encode[1].out_features == 7
    assert vae.sample(5).images.shape == (5, 1, 2, 3)

    assert main(["test", "--ckpt_path", "run", *QUIET]) == 0
    tested = capsys.readouterr().out
    assert all(name in tested for name in ("test/bits_per_dim", "test/kl/number"))
    assert main(["sample", "--ckpt_path", "run", "--num", "4"]) == 0
    assert main(["reconstruct", "--ckpt_path", "run", "--num", "4"]) == 0
    assert (user / "samples.png").exists()
    assert (user / "reconstructions.png").exists()


def test_a_run_of_a_users_own_parts_resumes(user):
    assert main(["fit", "--config", "mine.yaml", "--run_dir", "run", "--trainer.max_epochs", "1"]) == 0

    assert main(["fit", "--ckpt_path", "run", "--trainer.max_epochs", "2"]) == 0

    assert torch.load(user / "run" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 12


def test_what_a_users_own_part_lacks_is_named(user, capsys):
    (user / "typo.yaml").write_text(CONFIG.replace("GeometricHead", "GeometricHat"), encoding="utf-8")

    status = main(["fit", "--config", "typo.yaml", "--run_dir", "run"])

    assert status != 0
    assert "GeometricHat" in capsys.readouterr().err
    assert not (user / "run").exists()


def test_a_users_own_head_does_not_fit_another_ones_data(user, capsys):
    assert main(["fit", "--config", "mine.yaml", "--run_dir", "run", "--trainer.max_epochs", "1"]) == 0

    status = main(["test", "--ckpt_path", "run", "--data", "lit_vae.data.DigitsDataModule", *QUIET])

    assert status != 0
    assert "trained on 'ramps', 4 values in shape [1, 2, 3]" in capsys.readouterr().err
