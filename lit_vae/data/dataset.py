"""What every data set is: examples that are fetched a batch at a time."""

from abc import ABC, abstractmethod

from torch.utils.data import Dataset

from lit_vae.batch import Batch


class SymbolDataset(Dataset[Batch], ABC):
    """Examples that are fetched a batch at a time."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abstractmethod
    def __getitems__(self, indices: list[int]) -> Batch:
        """The batch of these examples; ``Batch.index`` repeats the indices."""

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Told before each epoch of training, for data that looks different each time it is seen."""
        return

    def __getitem__(self, index: int) -> Batch:
        """A batch of one."""
        return self.__getitems__([index])
