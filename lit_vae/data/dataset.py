"""What every data set is: examples that are fetched a batch at a time."""

from abc import ABC, abstractmethod

import numpy as np
from torch.utils.data import Dataset

from lit_vae.batch import Batch


class SymbolDataset(Dataset[Batch], ABC):
    """Examples that are fetched a batch at a time.

    Attributes:
        uneven: Whether examples differ in length, so that in training those of nearly one length make a batch.
    """

    uneven = False

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abstractmethod
    def __getitems__(self, indices: list[int]) -> Batch:
        """The batch of these examples; ``Batch.index`` repeats the indices."""

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        """Symbols of these examples, [N]: as many as the first example has, unless they differ in length."""
        return np.full(len(indices), int(self.__getitems__([0]).counts[0]))

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Told before each epoch of training, for data that looks different each time it is seen."""
        return

    def as_evaluated(self) -> "SymbolDataset":
        """The same examples without what training changes at random; itself, where it changes nothing."""
        return self

    def __getitem__(self, index: int | list[int]) -> Batch:
        """A batch, of one example or of several."""
        return self.__getitems__([index] if isinstance(index, int) else index)


class FirstExamples(SymbolDataset):
    """The first examples of a data set.

    Args:
        dataset: The whole.
        num: How many, at least one.

    Raises:
        ValueError: If there are fewer.
    """

    def __init__(self, dataset: SymbolDataset, num: int) -> None:
        if not 1 <= num <= len(dataset):
            raise ValueError(f"--limit must be from 1 to the split's {len(dataset)} examples, got {num}")
        self.dataset = dataset
        self.num = num
        self.uneven = dataset.uneven

    def __len__(self) -> int:
        return self.num

    def __getitems__(self, indices: list[int]) -> Batch:
        return self.dataset.__getitems__(indices)

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        return self.dataset.lengths(indices)

    def as_evaluated(self) -> SymbolDataset:
        return FirstExamples(self.dataset.as_evaluated(), self.num)
