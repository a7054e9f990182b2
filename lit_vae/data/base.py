"""What every data module is: three splits of integer symbols, and what the integers stand for."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Literal

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from lit_vae.batch import Batch
from lit_vae.data.chained import Chained
from lit_vae.data.dataset import FirstExamples, SymbolDataset
from lit_vae.data.identity import Identity
from lit_vae.data.loading import ResumableLoader, as_is, begin_worker
from lit_vae.data.place import limited
from lit_vae.symbols import Symbols

Split = Literal["train", "val", "test"]
AnySplit = Literal["train", "val", "test", "all"]
"""What an evaluation may look at: one split, or all that there are."""
SPLITS: tuple[Split, ...] = ("train", "val", "test")


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
            raise ValueError(f"data.init_args.batch_size must be >= 1, got {batch_size}")
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.test_split: AnySplit = "test"
        """What a test looks at."""
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
        """One split, as training sees it where it is the one to train on.

        Raises:
            ValueError: If the data has no such split.
        """

    @property
    def split_names(self) -> tuple[Split, ...]:
        """The splits that the data has: all three, unless it is laid out as fewer."""
        return SPLITS

    def num_examples(self, split: Split) -> int:
        """Examples of a split. A module that can count them without reading them does."""
        return len(self.dataset(split))

    def evaluated(self, split: AnySplit) -> SymbolDataset:
        """One split as an evaluation sees it, without what training changes at random; or all, one after the other.

        Raises:
            ValueError: If the data has no such split.
        """
        if split != "all":
            return self.dataset(split).as_evaluated()
        return Chained([self.dataset(part).as_evaluated() for part in self.split_names])

    @cached_property
    def identity(self) -> Identity:
        """Which data this is, wherever it lies: a run is continued on the data that it began with."""
        val = self.evaluated("val") if "val" in self.split_names else None
        return Identity.of(self.symbols.name, self.evaluated("train"), val)

    @property
    def batches_per_epoch(self) -> int:
        """Batches of an epoch of the training at hand, of each process."""
        return limited(self.trainer, len(self.train_dataloader()))  # type: ignore[arg-type] # there is a trainer

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.dataset("train"), shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.dataset("val"), shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        dataset = self.evaluated(self.test_split)
        if self.test_limit is not None:
            dataset = FirstExamples(dataset, self.test_limit)
        return self._loader(dataset, shuffle=False)

    def _loader(self, dataset: SymbolDataset, shuffle: bool) -> DataLoader[Batch]:
        if self.trainer is not None and self.trainer.overfit_batches > 0:  # type: ignore[attr-defined]
            # The same few batches in the same order: Lightning takes only torch's own loader for that.
            return DataLoader(
                dataset, self.batch_size, num_workers=self.num_workers, collate_fn=as_is, worker_init_fn=begin_worker
            )
        return ResumableLoader(dataset, self.trainer, self.batch_size, shuffle, self.num_workers)
