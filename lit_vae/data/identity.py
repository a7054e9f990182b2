"""Whether two data sets are the same data, wherever they lie."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from lit_vae import checkpoints
from lit_vae.commands import command
from lit_vae.data.dataset import SymbolDataset

LOOKED_AT = 64
"""Examples of each split that are compared, evenly spaced."""


@dataclass(frozen=True)
class Identity:
    """What a run was trained and validated on.

    Args:
        name: What the data is called.
        train: Training examples.
        val: Validation examples; 0 where there is no such split.
        digest: Of symbols of both splits.
    """

    name: str
    train: int
    val: int
    digest: str

    @classmethod
    def of(cls, name: str, train: SymbolDataset, val: SymbolDataset | None) -> Identity:
        """The identity of two splits, as an evaluation sees them, from their sizes and some of their examples.

        Args:
            name: What the data is called.
            train: The training split.
            val: The validation split; None where there is no such split.

        Raises:
            ValueError: If a split has no examples.
        """
        digest = blake2b(digest_size=16)
        splits = {"training": train} if val is None else {"training": train, "validation": val}
        for split, dataset in splits.items():
            if not len(dataset):
                raise ValueError(f"the {split} split of '{name}' has no examples: change data")
            chosen = np.unique(np.linspace(0, len(dataset) - 1, LOOKED_AT, dtype=np.int64))
            batch = dataset.__getitems__(chosen.tolist())
            digest.update(str([len(dataset), *batch.x.shape]).encode())
            digest.update(batch.x.long().numpy().tobytes())
            digest.update(batch.counts.numpy().tobytes())
        return cls(name, len(train), 0 if val is None else len(val), digest.hexdigest())

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)

    def refuse_other(self, checkpoint: dict[str, Any], run: str) -> None:
        """Refuse to go on with a run that was trained on other data.

        Args:
            checkpoint: Of the run; one that does not say what it was trained on is not refused.
            run: Names it.

        Raises:
            ValueError: If it is other data; the name it is called by does not count.
        """
        if checkpoint.get(checkpoints.DATA_KEY) is None:
            return
        before = Identity(**checkpoint[checkpoints.DATA_KEY])
        if before.digest != self.digest:
            raise ValueError(
                f"{run} was trained on '{before.name}' ({before.train} training and {before.val} validation examples), "
                f"this data, '{self.name}' ({self.train} and {self.val}), is other data: its best checkpoint and its "
                f"scores would be of the old data. To train its weights on this data, start a new run, with the same "
                f"flags: {command('fit', '--init_from', run)}"
            )
