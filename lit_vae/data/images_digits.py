"""Handwritten digits that come with scikit-learn: 1,797 pictures, 8x8, 17 grey levels."""

import numpy as np
import torch
from torch import Tensor

from lit_vae.data.base import Split
from lit_vae.data.images import ImageDataModule
from lit_vae.data.splits import divide
from lit_vae.symbols import Pixels

HELD_OUT = 180


class DigitsDataModule(ImageDataModule):
    """scikit-learn's digits: 1,437 to train, 180 to validate, 180 to test, drawn at random by a seed.

    Args:
        batch_size: Examples a batch and device.
        num_workers: Processes that load ahead; 0 loads in the main process.
        split_seed: Which random split. Likelihoods of different splits differ by about 0.02 bits/dim.

    Source:
        Alpaydin & Kaynak, 1998, https://doi.org/10.24432/C50P49: its test half, from 13 writers. Here the writers
        of training and test pictures are the same.
    """

    def __init__(self, batch_size: int = 64, num_workers: int = 0, split_seed: int = 0) -> None:
        super().__init__(batch_size, num_workers)
        self.split_seed = split_seed

    @property
    def symbols(self) -> Pixels:
        return Pixels("digits", 17, (1, 8, 8))

    def read(self, split: Split) -> Tensor:
        from sklearn.datasets import load_digits

        images = load_digits().images.astype(np.uint8)
        chosen = divide([str(i) for i in range(len(images))], self.split_seed, vals=HELD_OUT, tests=HELD_OUT)[split]
        return torch.from_numpy(images[chosen]).unsqueeze(1)
