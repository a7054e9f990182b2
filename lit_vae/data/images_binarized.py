"""Grey pictures seen as black and white, each pixel a coin whose bias is the grey level."""

import dataclasses

import torch

from lit_vae.batch import Batch
from lit_vae.data.base import SymbolDataset
from lit_vae.noise import IndexedNoise, open_interval

# Names the stream of an evaluation's coins, apart from those of its latents.
EVALUATION_STREAM = int.from_bytes(b"binarize")


class BinarizedDataset(SymbolDataset):
    """White with the probability that the grey level says, black otherwise.

    Args:
        grey: Pictures in 256 grey levels.
        fresh: Toss new coins each time a picture is seen, by torch's global generator, as training does. Otherwise
            each picture's number decides its coins: the same in every epoch, run, batch size and process, so that an
            evaluation repeats.

    Source:
        Salakhutdinov & Murray, 2008, https://doi.org/10.1145/1390156.1390266.
    """

    def __init__(self, grey: SymbolDataset, fresh: bool) -> None:
        self.grey = grey
        self.fresh = fresh

    def __len__(self) -> int:
        return len(self.grey)

    def __getitems__(self, indices: list[int]) -> Batch:
        batch = self.grey.__getitems__(indices)
        if self.fresh:
            coins = open_interval(torch.rand(batch.x.shape))
        else:
            coins = IndexedNoise(batch.index, EVALUATION_STREAM).uniform(batch.x.shape)
        return dataclasses.replace(batch, x=(coins < batch.x / 255.0).to(torch.uint8))
