"""What every data module is: three splits of integer symbols, and what the integers stand for."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Literal

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from lit_vae.batch import Batch
from lit_vae.data.dataset import FirstExamples, SymbolDataset
from lit_vae.data.identity import Identity
from lit_vae.data.loading import ResumableLoader, as_is
from lit_vae.symbols import Symbols

Split = Literal["train", "val", "test"]


class SymbolDataModule(LightningDataModule, ABC):
    """Three splits of examples as integers.

    Args:
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Raises:
        ValueError: If ``batch_size`` is less than 1.
    """

    def __init__(self, batch_size: int, num_workers: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"data.init_args.batch_size counts up from 1, got {batch_size}")
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.test_limit: int | None = None
        """How many of the first examples a test looks at; None for all."""

    @property
    @abstractmethod
    def symbols(self) -> Symbols:
        """What the integers stand for; reads the data where it must."""

    @property
    def num_values(self) -> int:
        """Size of the alphabet; linked to the head."""
        return self.symbols.num_values

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Shape of one example, None for a text's length; linked to the head."""
        return self.symbols.shape

    @abstractmethod
    def dataset(self, split: Split) -> SymbolDataset:
        """One split."""

    @cached_property
    def identity(self) -> Identity:
        """Which data this is, wherever it lies: a run is continued on the data that it began with."""
        return Identity.of(self.symbols.name, self.dataset("train"), self.dataset("val"))

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader("val", shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._loader("test", shuffle=False)

    def _loader(self, split: Split, shuffle: bool) -> DataLoader[Batch]:
        dataset = self.dataset(split)
        if split == "test" and self.test_limit is not None:
            dataset = FirstExamples(dataset, self.test_limit)
        if self.trainer is not None and self.trainer.overfit_batches > 0:  # type: ignore[attr-defined]
            # The same few batches in the same order: Lightning takes only torch's own loader for that.
            return DataLoader(dataset, self.batch_size, num_workers=self.num_workers, collate_fn=as_is)
        return ResumableLoader(dataset, self.trainer, self.batch_size, shuffle, self.num_workers)
