"""A text VAE's training step, its evaluation and its samples, beside a plain LSTM VAE of the same sizes.

    python benchmarks/text.py [--root data/ptb --rounds 5 --clock wall]

The baseline is what one writes first: float32, a 10,002-way softmax with a table of its own, ``cross_entropy``, default
Adam; one embedding table to an end, embedding and hidden 256, 32 latent numbers. Ours is ``ptb_freebits.yaml`` with
``overlays/cpu_hour.yaml``. Both read the same batches of equally long sentences of Penn Treebank's training split; the
peak of a step's memory is that with 50,000 random words.
"""

import argparse
import time
from functools import partial

import numpy as np
import torch
from common import interleaved, peak_bytes, publish
from torch import Tensor, nn
from torch.nn import functional

from lit_vae import LitVAE
from lit_vae.backbones import GaussianPosterior, RecurrentVAE
from lit_vae.batch import Batch
from lit_vae.data import PennTreebankDataModule
from lit_vae.draws import from_posterior
from lit_vae.heads import LSTMTokenHead
from lit_vae.importance import importance_weighted_nll
from lit_vae.noise import StreamNoise
from lit_vae.objectives import ELBO, FreeBits

WIDTH, LATENT, DROPOUT, CLIP = 256, 32, 0.3, 5.0


class Plain(nn.Module):
    """The baseline."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.read, self.write = nn.Embedding(vocabulary, WIDTH), nn.Embedding(vocabulary, WIDTH)
        self.encoder = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        self.posterior = nn.Linear(WIDTH, 2 * LATENT)
        self.initial = nn.Linear(LATENT, WIDTH)
        self.decoder = nn.LSTM(WIDTH + LATENT, WIDTH, batch_first=True)
        self.output = nn.Linear(WIDTH, vocabulary)

    def loss(self, x: Tensor) -> Tensor:
        """The bound of one batch of equally long sentences, nats per sentence."""
        _, (last, _) = self.encoder(self.read(x))
        loc, log_scale = self.posterior(last[-1]).chunk(2, -1)
        z = loc + log_scale.exp() * torch.randn_like(loc)
        before = self.write(functional.pad(x[:, :-1], (1, 0)))
        before = functional.dropout(before, DROPOUT, self.training)
        cell = self.initial(z).unsqueeze(0)
        inputs = torch.cat([before, z.unsqueeze(1).expand(-1, x.shape[1], -1)], -1)
        hidden, _ = self.decoder(inputs, (cell.tanh(), cell))
        logits = self.output(functional.dropout(hidden, DROPOUT, self.training))
        distortion = functional.cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="sum")
        rate = 0.5 * (loc.square() + (2 * log_scale).exp() - 1 - 2 * log_scale).sum()
        return (distortion + rate) / len(x)


def ours(vocabulary: int) -> LitVAE:
    """The model of the hour's recipe."""
    head = LSTMTokenHead(
        LATENT,
        vocabulary,
        (None,),
        WIDTH,
        WIDTH,
        own_table=True,
        dropout_in=DROPOUT,
        dropout_out=DROPOUT,
    )
    backbone = RecurrentVAE(
        WIDTH, (None,), LATENT, WIDTH, LATENT, posterior=partial(GaussianPosterior, bias=False), project=False
    )
    return LitVAE(backbone, head, ELBO("example", free_bits=FreeBits(0.25, "dimension", "example")))


def plain_step(model: Plain, optimizer: torch.optim.Optimizer, batches: list[Batch]) -> None:
    """One update of the baseline on each batch."""
    for batch in batches:
        optimizer.zero_grad()
        model.loss(batch.x).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()


def our_step(vae: LitVAE, optimizer: torch.optim.Optimizer, batches: list[Batch], low: bool) -> None:
    """One update of ours on each batch; low for the products that Lightning's bf16-mixed makes in bfloat16."""
    for number, batch in enumerate(batches):
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            distribution, latents = vae(batch, from_posterior, StreamNoise(0, 0, number, 0))
            terms = vae.objective(distribution.log_prob(batch.x), latents, batch.counts, 0)
        optimizer.zero_grad()
        terms.loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), CLIP)
        optimizer.step()


def updates(vocabulary: int, batches: list[Batch]) -> dict[str, partial[None]]:
    """An update on each batch, of the baseline and of ours."""
    torch.manual_seed(0)
    plain = Plain(vocabulary)
    works = {"plain": partial(plain_step, plain, torch.optim.Adam(plain.parameters(), lr=1e-3), batches)}
    for precision in ("bf16-mixed", "32-true"):
        vae = ours(vocabulary)
        adam = torch.optim.Adam(vae.parameters(), lr=1e-3, fused=True)
        works[f"ours, {precision}"] = partial(our_step, vae, adam, batches, precision == "bf16-mixed")
    return works


def random_batch(vocabulary: int, tokens: int) -> Batch:
    """Thirty-two sentences of random words."""
    return Batch(torch.randint(vocabulary, (32, tokens)), None, torch.arange(32))


def equally_long(data: PennTreebankDataModule, sentences: int) -> list[Batch]:
    """A batch of each of five lengths about the corpus's mean."""
    dataset = data.dataset("train")
    lengths = dataset.lengths(np.arange(len(dataset)))
    chosen = [np.flatnonzero(lengths == length)[:sentences].tolist() for length in (14, 18, 22, 26, 30)]
    return [dataset.__getitems__(indices) for indices in chosen]


@torch.no_grad()
def weigh(vae: LitVAE, data: PennTreebankDataModule, sentences: int, samples: int) -> None:
    """The importance-weighted bound of the first sentences of the test split, in batches of 32 by length."""
    dataset = data.dataset("test")
    order = np.argsort(dataset.lengths(np.arange(sentences)), kind="stable")
    for start in range(0, sentences, 32):
        importance_weighted_nll(vae, dataset.__getitems__(order[start : start + 32].tolist()), samples)


def main() -> None:
    """Run, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data/ptb")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    asked = parser.parse_args()
    clock = time.perf_counter if asked.clock == "wall" else time.process_time

    data = PennTreebankDataModule(asked.root)
    data.prepare_data()
    batches = equally_long(data, 32)
    seconds = interleaved(updates(data.num_values, batches), asked.rounds, clock=clock)
    tokens = sum(int(batch.counts.sum()) for batch in batches)
    rows = [
        {"what": name, "tokens/s": round(tokens / each), "times plain": seconds["plain"] / each}
        for name, each in seconds.items()
    ]
    publish("text_step", rows)

    rows = []
    for length in (22, 64):
        peaks = {}
        for name, work in updates(50_000, [random_batch(50_000, length)]).items():
            work()  # Adam's moments are there before and after
            peaks[name] = peak_bytes(work)
        rows += [
            {"tokens": 32 * length, "what": name, "peak MB": peak / 1e6, "times plain": peak / peaks["plain"]}
            for name, peak in peaks.items()
        ]
    publish("text_memory", rows)

    torch.manual_seed(0)
    vae = ours(data.num_values).eval()
    vae.learn(data.symbols)
    evaluation = {
        "importance-weighted bound, K = 100, 500 sentences": partial(weigh, vae, data, 500, 100),
        "1,000 samples": partial(vae.sample, 1000),
    }
    rows = []
    for name, work in evaluation.items():
        start = clock()
        work()
        rows.append({"what": name, "seconds": clock() - start})
    publish("text_evaluation", rows)


if __name__ == "__main__":
    main()
