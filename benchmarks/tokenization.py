"""Text to mapped token arrays, in words a second and core (of processor time); and what of a batch is padding.

    python benchmarks/tokenization.py [--root FILE --megabytes 16 --rounds 3]

``--root`` is a file of one text a line, repeated to the given size; without one, the embedded sentences are taken.
Ours is the whole way: reading, tokenizing, counting characters, bytes and words, writing. For comparison, in memory and
without counting: ``str.split`` and a dictionary, and word-level tokenization by the tokenizers library.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core

import numpy as np
from common import interleaved, publish
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers

from lit_vae.corpora.encoding import EncodeTexts, Tally, encoded, trained
from lit_vae.corpora.files import Lines
from lit_vae.corpora.sources import TextSource
from lit_vae.corpora.tables import Table, mapped, written
from lit_vae.corpora.workers import Workers
from lit_vae.data import TextDataset
from lit_vae.data.buckets import BucketSampler
from lit_vae.data.sentences import sentences
from lit_vae.tokenizers import BPE, Bytes, Characters, TokenizerTrainer, Words

MOST = 1 << 20
"""Tokens of a text: no limit."""


def corpus(root: str | None, megabytes: float, folder: Path) -> Path:
    """A file of that size."""
    lines = sentences() if root is None else Path(root).read_text(encoding="utf-8").splitlines()
    text = "\n".join(lines) + "\n"
    path = folder / "corpus.txt"
    with path.open("w", encoding="utf-8") as file:
        for _ in range(max(1, round(megabytes * 1e6 / len(text.encode())))):
            file.write(text)
    return path


def ours(trainer: TokenizerTrainer, source: TextSource, folder: Path, workers: Workers) -> dict[str, object]:
    """The two pieces of work, training and encoding."""
    tokenizer = trained(trainer, source, workers)
    count = iter(range(1000))

    def encode() -> None:
        chunks = encoded(EncodeTexts(tokenizer, MOST, "error"), source, workers, "", Tally())
        written(chunks, folder / f"{type(trainer).__name__}{next(count)}")

    return {"train": lambda: trained(trainer, source, workers), "encode": encode}


def by_split(lines: list[str]) -> np.ndarray:
    """Ids by the plainest means there are."""
    ids = {word: number for number, word in enumerate(dict.fromkeys(word for line in lines for word in line.split()))}
    return np.fromiter((ids[word] for line in lines for word in line.split()), np.int32)


def by_library(lines: list[str]) -> np.ndarray:
    """Ids by the tokenizers library."""
    words = dict.fromkeys(word for line in lines for word in line.split())
    library = Library(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return np.concatenate([encoding.ids for encoding in library.encode_batch_fast(lines)])


def padding(table: Table, batch_size: int) -> Iterator[dict[str, object]]:
    """The part of a batch that is padding, by the way of batching."""
    dataset = TextDataset(table)
    lengths = dataset.lengths(np.arange(len(dataset)))
    shuffled = np.array_split(np.random.default_rng(0).permutation(len(lengths)), -(-len(lengths) // batch_size))
    for name, batches in {"shuffled": shuffled, "ours": list(BucketSampler(dataset, None, batch_size))}.items():
        places = sum(lengths[batch].max() * len(batch) for batch in batches)
        yield {"batches": name, "batch size": batch_size, "padding": f"{1 - lengths.sum() / places:.2%}"}


def main() -> None:
    """Run, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=None)
    parser.add_argument("--megabytes", type=float, default=16.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder, workers = Path(name), Workers(1, bar=False)
        source = Lines(corpus(asked.root, asked.megabytes, folder))
        lines = list(source)
        words = sum(len(line.split()) for line in lines)
        works = {
            (cls.__name__, what): work
            for cls in (Words, Bytes, Characters, BPE)
            for what, work in ours(cls(), source, folder, workers).items()
            if (cls, what) != (Bytes, "train")  # there is nothing to train
        }
        works["split and dict", "both"] = lambda: by_split(lines)
        works["tokenizers, WordLevel", "both"] = lambda: by_library(lines)
        seconds = interleaved(works, asked.rounds, clock=time.process_time)
        rows = [
            {"tokenizer": name, "what": what, "million words/s and core": words / 1e6 / taken}
            for (name, what), taken in seconds.items()
        ]
        publish("tokenization", rows)

        single = Lines(corpus(asked.root, 0, folder))
        chunks = encoded(EncodeTexts(Words().train(single), MOST, "error"), single, workers, "", Tally())
        written(chunks, folder / "single")
        publish("padding", [row for size in (32, 128) for row in padding(mapped(folder / "single"), size)])


if __name__ == "__main__":
    main()
