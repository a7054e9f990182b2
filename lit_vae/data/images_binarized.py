"""Grey pictures seen as black and white, each pixel a coin whose bias is the grey level."""

import dataclasses

from lit_vae.batch import Batch
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.visits import Visits
from lit_vae.quantization import evaluation_noise, quantize


class BinarizedDataset(SymbolDataset):
    """White with the probability that the grey level says, black otherwise.

    Args:
        grey: Pictures in 256 grey levels.
        fresh: Toss new coins every time a picture is seen, as training does. Otherwise each picture's number decides
            its coins: the same in every epoch, run, batch size and process, so that an evaluation repeats.

    Source:
        Salakhutdinov & Murray, 2008, https://doi.org/10.1145/1390156.1390266.
    """

    def __init__(self, grey: SymbolDataset, fresh: bool) -> None:
        self.grey = grey
        self.fresh = fresh
        self._visits = Visits(b"coin")

    def __len__(self) -> int:
        return len(self.grey)

    def set_epoch(self, seed: int, epoch: int) -> None:
        self.grey.set_epoch(seed, epoch)
        self._visits.set_epoch(seed, epoch)

    def as_evaluated(self) -> SymbolDataset:
        return BinarizedDataset(self.grey.as_evaluated(), fresh=False)

    def __getitems__(self, indices: list[int]) -> Batch:
        batch = self.grey.__getitems__(indices)
        noise = self._visits.noise(indices) if self.fresh else evaluation_noise(batch.index)
        return dataclasses.replace(batch, x=quantize(batch.x, 2, "coin", noise))
