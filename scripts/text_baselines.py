"""What a unigram and a bigram model make of a text's test split, in nats per token, end symbols counted.

    python scripts/text_baselines.py --config sentences.yaml [--data.root DIR ...]

Reads the ``data`` of a config, so that the tokens are those that the VAE is trained on. Both models are counted on the
training split and smoothed by one number, fitted on the validation split:

    unigram: p(w)     = (count(w) + a) / (tokens + a V)
    bigram:  p(w | v) = (count(v, w) + b p(w)) / (count(v) + b)

The first token of a text follows an end symbol.

Source: MacKay & Peto, 1995, A hierarchical Dirichlet language model, https://doi.org/10.1017/S1351324900000218.
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np

from lit_vae.cli.data import of_config
from lit_vae.data import TextDataModule, TextDataset


class Unigram:
    """Tokens that depend on nothing.

    Args:
        ids: Training tokens, [N].
        num_values: Size of the vocabulary.
    """

    def __init__(self, ids: np.ndarray, num_values: int) -> None:
        self.counts = np.bincount(ids, minlength=num_values).astype(float)
        self.smoothing = 1.0

    def prob(self, smoothing: float | None = None) -> np.ndarray:
        """Of each token, [num_values]."""
        smoothed = self.counts + (self.smoothing if smoothing is None else smoothing)
        return smoothed / smoothed.sum()

    def nats(self, ids: np.ndarray, smoothing: float | None = None) -> float:
        """Mean of -log p."""
        return -np.log(self.prob(smoothing)[ids]).mean()


class Bigram:
    """Tokens that depend on the one before.

    Args:
        ids: Training tokens, [N], each text followed by the end symbol.
        unigram: What the counts are smoothed with; fitted.
    """

    def __init__(self, ids: np.ndarray, unigram: Unigram) -> None:
        self.unigram = unigram.prob()
        self.before = np.bincount(previous(ids), minlength=len(self.unigram))
        self.pairs, self.counts = np.unique(self._pairs(previous(ids), ids), return_counts=True)
        self.smoothing = 1.0

    def prob(self, before: np.ndarray, ids: np.ndarray, smoothing: float | None = None) -> np.ndarray:
        """Of each token after the one before it, [N]."""
        b = self.smoothing if smoothing is None else smoothing
        pairs = self._pairs(before, ids)
        place = np.searchsorted(self.pairs, pairs).clip(max=len(self.pairs) - 1)
        counts = np.where(self.pairs[place] == pairs, self.counts[place], 0)
        return (counts + b * self.unigram[ids]) / (self.before[before] + b)

    def nats(self, ids: np.ndarray, smoothing: float | None = None) -> float:
        """Mean of -log p."""
        return -np.log(self.prob(previous(ids), ids, smoothing)).mean()

    def _pairs(self, before: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return before.astype(np.int64) * len(self.unigram) + ids


def previous(ids: np.ndarray) -> np.ndarray:
    """The token before each, [N]; the last is an end symbol, so it also precedes the first."""
    return np.roll(ids, 1)


def fit(loss: Callable[[float], float]) -> float:
    """The smoothing between 1e-6 and 1e6 with the least loss, by a grid of its logarithm, refined twice."""
    low, high = -6.0, 6.0
    for _ in range(3):
        grid = np.linspace(low, high, 25)
        best = grid[np.argmin([loss(10**point) for point in grid])]
        step = grid[1] - grid[0]
        low, high = best - step, best + step
    return float(10**best)


def baselines(data: TextDataModule) -> dict[str, float]:
    """Nats per token of each model on the test split."""

    def ids(dataset: TextDataset) -> np.ndarray:
        return dataset.columns["ids"].astype(np.int64)

    train, val, test = (ids(data.dataset(split)) for split in ("train", "val", "test"))
    unigram = Unigram(train, data.num_values)
    unigram.smoothing = fit(lambda a: unigram.nats(val, a))
    bigram = Bigram(train, unigram)
    bigram.smoothing = fit(lambda b: bigram.nats(val, b))
    return {"uniform": float(np.log(data.num_values)), "unigram": unigram.nats(test), "bigram": bigram.nats(test)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="a file, or the name of a packaged config")
    words, overrides = parser.parse_known_args()
    try:
        data = of_config(words.config, overrides, TextDataModule)
        table = baselines(data)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    test = data.dataset("test")
    print(f"{data.corpus}: {len(test)} test texts, {len(test.columns['ids'])} tokens, vocabulary {data.num_values}")
    for name, nats in table.items():
        print(f"{name:8} {nats:.4f} nats/token  perplexity {np.exp(nats):.2f}")


if __name__ == "__main__":
    main()
