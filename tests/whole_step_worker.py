"""Models trained for three steps on batches that are whole, accumulated or shared out among two processes.

As a program it trains with two processes and writes the weights to a file: whole_step_worker.py FILE
"""

import os
import sys

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from lit_vae import Batch, LitVAE
from lit_vae import vae as module_of_vae
from lit_vae.backbones import BatchNormPosterior, GaussianPosterior, HierarchicalTextVAE, LadderVAE, RecurrentVAE
from lit_vae.backbones.nvae_cells import batch_norm
from lit_vae.cli.quiet import quieten
from lit_vae.data.loading import as_is
from lit_vae.heads import L2PixelHead, LogisticPixelHead, LSTMTokenHead
from lit_vae.noise import IndexedNoise
from lit_vae.objectives import ELBO, FreeBits, GammaBalance, Linear, SquareBalance, TargetKL
from lit_vae.regularizers import MMD, BagOfWords, Spectral

LENGTHS = torch.tensor([3, 5, 4, 30, 28, 12, 30, 3] * 3 + [3, 5, 4, 13, 2, 12, 7, 3] * 5)
EXAMPLES = len(LENGTHS)


class Told(LitVAE):
    """Draws in training the noise that belongs to the examples, whichever process and batch they are in."""

    def training_step(self, batch, batch_idx):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module_of_vae, "StreamNoise", lambda *key, device: IndexedNoise(batch.index))
            return super().training_step(batch, batch_idx)


class NormedLadder(LadderVAE):
    """With the batch norm of NVAE's cells."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.norm = batch_norm(self.width)

    def top_down(self, *args):
        features, latents = super().top_down(*args)
        return self.norm(features.movedim(-1, 1)).movedim(1, -1), latents


def texts(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x = torch.randint(19, (EXAMPLES, 30), generator=generator)
    mask = torch.arange(30) < LENGTHS[:, None]
    x[~mask] = 19
    return Batch(x, mask, torch.arange(EXAMPLES) + EXAMPLES * step)


def share_of(batch: Batch, part: slice) -> Batch:
    """Some of the examples, as a process is handed them: texts no longer than the longest of its own."""
    share = batch[part]
    longest = None if share.mask is None else int(share.counts.max())
    return share if longest is None else Batch(share.x[:, :longest], share.mask[:, :longest], share.index)


def pictures(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x = torch.randint(17, (EXAMPLES, 1, 8, 8), generator=generator, dtype=torch.uint8)
    x[EXAMPLES // 2 :] //= 4
    return Batch(x, None, torch.arange(EXAMPLES) + EXAMPLES * step)


def descent(weights):
    return torch.optim.SGD(weights, 1e-2)


def text_vae(objective, posterior=GaussianPosterior, **settings):
    head = LSTMTokenHead(16, 20, (None,), embed_width=8, hidden=16)
    return Told(
        RecurrentVAE(8, (None,), width=16, hidden=16, latent=4, posterior=posterior),
        head,
        objective,
        descent,
        **settings,
    )


def picture_vae(objective, head=LogisticPixelHead, backbone=LadderVAE, **settings):
    extra = {"sigma": "optimal"} if head is L2PixelHead else {"components": 2}
    made = head(8, 17, (1, 8, 8), **extra)
    return Told(
        backbone(made.embed_width, made.positions, width=8, latent=2, blocks=[1, 1]),
        made,
        objective,
        descent,
        **settings,
    )


def runs_vae(objective, **settings):
    """Latent vectors of runs of tokens: a longer text has more of them."""
    head = LSTMTokenHead(8, 20, (None,), embed_width=8, hidden=8)
    backbone = HierarchicalTextVAE(
        8, (None,), width=8, hidden=8, latent=2, whole_latent=2, blocks=(0, 1), depth=1, heads=2, dropout=0.0
    )
    return Told(backbone, head, objective, descent, **settings)


def balanced(balance):
    return lambda: picture_vae(ELBO("symbol", Linear(10, start=0.3), balance=balance))


LINEAR = {
    "texts per symbol": (texts, lambda: text_vae(ELBO("symbol"))),
    "texts per example": (texts, lambda: text_vae(ELBO("example"))),
    "texts, annealed, free bits of each example": (
        texts,
        lambda: text_vae(ELBO("symbol", Linear(10, start=0.2), FreeBits(0.1, "dimension", "example"))),
    ),
    "texts, bag of words": (texts, lambda: text_vae(ELBO("symbol"), regularizers=[BagOfWords(hidden=8)])),
    "texts towards a KL": (texts, lambda: text_vae(ELBO("symbol", TargetKL(3.0, 0.5, 0.1)))),
    "pictures per symbol": (pictures, lambda: picture_vae(ELBO("symbol"))),
    "pictures per example": (pictures, lambda: picture_vae(ELBO("example"))),
}
"""What does not look at a batch as a whole: accumulated batches are one batch."""

COUPLED = {
    **{
        f"pictures, free bits of each {group}": (
            pictures,
            lambda group=group, nats=nats: picture_vae(ELBO("symbol", free_bits=FreeBits(nats, group, "batch"))),
        )
        for group, nats in {"total": 0.2, "layer": 0.1, "channel": 0.05, "dimension": 0.004}.items()
    },
    "texts, free bits of each dimension": (
        texts,
        lambda: text_vae(ELBO("symbol", free_bits=FreeBits(0.01, "dimension", "batch"))),
    ),
    "runs of tokens, free bits of each dimension": (
        texts,
        lambda: runs_vae(ELBO("symbol", free_bits=FreeBits(0.002, "dimension", "batch"))),
    ),
    "runs of tokens, MMD": (texts, lambda: runs_vae(ELBO("symbol"), regularizers=[MMD(50.0, "imq", "all")])),
    "texts, batch-normalised posterior": (texts, lambda: text_vae(ELBO("symbol"), posterior=BatchNormPosterior)),
    "pictures, gamma balance": (pictures, balanced(GammaBalance(100))),
    "pictures, square balance": (pictures, balanced(SquareBalance())),
    "pictures, optimal sigma": (pictures, lambda: picture_vae(ELBO("symbol"), L2PixelHead)),
    "pictures, batch norm": (pictures, lambda: picture_vae(ELBO("symbol"), backbone=NormedLadder)),
    "pictures, MMD": (
        pictures,
        lambda: picture_vae(ELBO("symbol"), regularizers=[MMD(50.0, "imq", "all")]),
    ),
}
"""What looks at the batch as a whole: several processes see one batch, accumulated batches are several."""

SPECTRAL = {"pictures, spectral": (pictures, lambda: picture_vae(ELBO("symbol"), regularizers=[Spectral(0.5)]))}
"""Looks at no batch, but iterates once at each of them."""

CASES = LINEAR | COUPLED | SPECTRAL


STEPS = 3
SHARES = (slice(0, 24), slice(24, EXAMPLES))


def trained(name: str, batches: list[Batch], **settings) -> dict[str, torch.Tensor]:
    """Weights and statistics after a training on some batches."""
    torch.manual_seed(0)
    vae = CASES[name][1]()
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, precision="64-true", use_distributed_sampler=False, **quiet, **settings
    )
    if batches:
        trainer.fit(vae, DataLoader(batches, batch_size=None, collate_fn=as_is))
    return {name: value.detach().double() for name, value in vae.state_dict().items()}


def alone(name: str, **settings):
    """One process that sees every batch whole."""
    return trained(name, [CASES[name][0](step) for step in range(STEPS)], devices=1, **settings)


def accumulated(name: str, **settings):
    """One process that sees every batch in two parts."""
    batches = [share_of(CASES[name][0](step), share) for step in range(STEPS) for share in SHARES]
    return trained(name, batches, devices=1, accumulate_grad_batches=2, **settings)


def shared_out(name: str):
    """Two processes that each see a part of every batch."""
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    return trained(
        name, [share_of(CASES[name][0](step), SHARES[rank]) for step in range(STEPS)], devices=2, strategy="ddp"
    )


if __name__ == "__main__":
    quieten()
    found = {name: shared_out(name) for name in CASES}
    if os.environ.get("LOCAL_RANK", "0") == "0":
        torch.save(found, sys.argv[1])
