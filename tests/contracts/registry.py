"""Every plug-in of the package, small enough that a law can be checked over a whole alphabet.

A new head, backbone, objective or data module joins its list here and inherits every promise; a test fails until it
has.
"""

import gzip
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_vae.backbones import (
    NVAE,
    VDVAE,
    Backbone,
    BatchNormPosterior,
    ChunkAutoencoder,
    ConvVAE,
    DeltaPosterior,
    EfficientVDVAE,
    HierarchicalTextVAE,
    LadderVAE,
    RecurrentVAE,
    TransformerVAE,
)
from lit_vae.batch import Batch
from lit_vae.data import (
    CelebADataModule,
    CelebAHQDataModule,
    CharacterBlocksDataModule,
    CIFAR10DataModule,
    DigitsDataModule,
    FFHQDataModule,
    HuggingFaceTextDataModule,
    ImageFolderDataModule,
    ImageNetDataModule,
    MNISTDataModule,
    PennTreebankDataModule,
    SentencesDataModule,
    SymbolDataModule,
    TextLinesDataModule,
)
from lit_vae.heads import (
    BernoulliPixelHead,
    BetaBinomialPixelHead,
    CauchyPixelHead,
    DecoderHead,
    L2PixelHead,
    LaplacePixelHead,
    LogisticPixelHead,
    LSTMTokenHead,
    NormalPixelHead,
    SoftmaxPixelHead,
    SoftmaxTokenHead,
    StudentTPixelHead,
    TransformerTokenHead,
)
from lit_vae.objectives import (
    ELBO,
    Constant,
    Cyclical,
    FreeBits,
    GammaBalance,
    KLBalance,
    KLSchedule,
    Linear,
    Logistic,
    Objective,
    SquareBalance,
    TargetKL,
)
from lit_vae.regularizers import MMD, BagOfWords, Regularizer, Spectral
from lit_vae.tokenizers import Characters, Words
from lit_vae.vae import LitVAE

WIDTH = 4
LENGTH = 3
"""Tokens of a text, where a law is checked over all texts."""


@dataclass(frozen=True)
class HeadCase:
    """A head over an alphabet and shape with few enough examples to list.

    Args:
        make: The head from its linked arguments.
        num_values: Size of the alphabet.
        shape: Of one example; None stands for a text's length.
    """

    make: Callable[..., DecoderHead]
    num_values: int
    shape: tuple[int | None, ...]

    def build(self) -> DecoderHead:
        """The head in eval mode, away from its initial values, so that a mistake shows."""
        torch.manual_seed(0)
        head = self.make(width=WIDTH, num_values=self.num_values, shape=self.shape).eval()
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.add_(0.5 * torch.randn_like(parameter))
        return head

    @property
    def example(self) -> tuple[int, ...]:
        """Shape of one example, a text of :data:`LENGTH`."""
        return tuple(LENGTH if size is None else size for size in self.shape)

    def alphabet(self) -> Tensor:
        """All examples there are, [num_values ** symbols, *E]."""
        symbols = int(np.prod(self.example))
        rows = torch.cartesian_prod(*[torch.arange(self.num_values)] * symbols)
        return rows.view(-1, *self.example)

    def batch(self, size: int, length: int | None = None, seed: int = 0) -> Batch:
        """Random examples, all symbols observed."""
        shape = [length or LENGTH if n is None else n for n in self.shape]
        x = torch.randint(self.num_values, (size, *shape), generator=torch.Generator().manual_seed(seed))
        return Batch(x, None, torch.arange(size))


@dataclass(frozen=True)
class BackboneCase:
    """A backbone over few positions.

    Args:
        make: The backbone from its linked arguments.
        positions: S; None stands for a text's length.
    """

    make: Callable[..., Backbone]
    positions: tuple[int | None, ...]

    def build(self) -> Backbone:
        """The backbone in eval mode, away from its initial values, so that a mistake shows."""
        torch.manual_seed(0)
        backbone = self.make(embed_width=WIDTH, shape=self.positions).eval()
        with torch.no_grad():
            for parameter in backbone.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        return backbone

    @property
    def is_text(self) -> bool:
        """Whether a length is open."""
        return None in self.positions

    def shape(self, size: int, length: int = LENGTH) -> list[int]:
        """Batch and positions."""
        return [size, *(length if n is None else n for n in self.positions)]


HEADS = {
    "bernoulli": HeadCase(BernoulliPixelHead, 2, (1, 2, 2)),
    "bernoulli, channels": HeadCase(partial(BernoulliPixelHead, kernel_size=3), 2, (2, 1, 2)),
    "softmax pixels": HeadCase(SoftmaxPixelHead, 3, (2, 1, 2)),
    "beta-binomial": HeadCase(BetaBinomialPixelHead, 4, (2, 1, 2)),
    "normal": HeadCase(partial(NormalPixelHead, components=1), 5, (1, 1, 3)),
    "normal, channels": HeadCase(partial(NormalPixelHead, components=2), 3, (3, 1, 2)),
    "logistic": HeadCase(partial(LogisticPixelHead, components=3), 5, (1, 1, 3)),
    "logistic, channels": HeadCase(partial(LogisticPixelHead, components=2), 3, (3, 1, 2)),
    "logistic, softplus": HeadCase(partial(LogisticPixelHead, components=2, scale_form="softplus"), 3, (2, 1, 2)),
    "logistic, one scale": HeadCase(partial(LogisticPixelHead, components=2, scale="shared"), 3, (2, 1, 2)),
    "logistic, given scale": HeadCase(
        partial(LogisticPixelHead, components=2, scale="fixed", fixed_scale=0.7, autoregressive=False), 3, (2, 1, 2)
    ),
    "laplace": HeadCase(partial(LaplacePixelHead, components=2), 3, (2, 1, 2)),
    "cauchy": HeadCase(partial(CauchyPixelHead, components=2), 3, (2, 1, 2)),
    "student": HeadCase(partial(StudentTPixelHead, components=2, degrees=3), 3, (2, 1, 2)),
    "squares, given sigma": HeadCase(partial(L2PixelHead, sigma=0.8), 3, (2, 1, 2)),
    "squares, learned sigma": HeadCase(partial(L2PixelHead, sigma="learned"), 3, (2, 1, 2)),
    "squares, optimal sigma": HeadCase(partial(L2PixelHead, sigma="optimal"), 3, (2, 1, 2)),
    "softmax tokens": HeadCase(partial(SoftmaxTokenHead, embed_width=3, tied=False), 4, (None,)),
    "softmax tokens, tied": HeadCase(partial(SoftmaxTokenHead, embed_width=3), 4, (None,)),
    "softmax tokens, adaptive": HeadCase(partial(SoftmaxTokenHead, embed_width=3, cutoffs=[1, 2]), 4, (None,)),
    "lstm": HeadCase(partial(LSTMTokenHead, embed_width=3, hidden=5, tied=False, word_dropout=0.5), 4, (None,)),
    "lstm, tied": HeadCase(partial(LSTMTokenHead, embed_width=3, hidden=5, depth=2, dropout_in=0.5), 4, (None,)),
    "lstm, at the steps": HeadCase(partial(LSTMTokenHead, hidden=5, latent="steps", own_table=True), 4, (None,)),
    "lstm, in the state": HeadCase(partial(LSTMTokenHead, hidden=5, latent="state", cutoffs=[2]), 4, (None,)),
    "transformer": HeadCase(
        partial(TransformerTokenHead, embed_width=3, hidden=4, depth=2, heads=1, slots=2, dropout=0.0), 4, (None,)
    ),
    "transformer, memory": HeadCase(
        partial(TransformerTokenHead, embed_width=4, hidden=4, depth=1, heads=2, latent="memory"), 4, (None,)
    ),
    "transformer, embedding": HeadCase(
        partial(TransformerTokenHead, embed_width=3, hidden=4, depth=1, heads=1, latent="embedding", tied=False),
        4,
        (None,),
    ),
}

BACKBONES = {
    "conv": BackboneCase(partial(ConvVAE, width=WIDTH, latent=3, halvings=1), (3, 4)),
    "conv, delta": BackboneCase(partial(ConvVAE, width=WIDTH, latent=3, posterior=DeltaPosterior), (3, 4)),
    "ladder": BackboneCase(partial(LadderVAE, width=WIDTH, latent=2, blocks=(1, 2, 1)), (4, 8)),
    "recurrent": BackboneCase(partial(RecurrentVAE, width=WIDTH, hidden=5, latent=3), (None,)),
    "recurrent, max": BackboneCase(
        partial(RecurrentVAE, width=3, hidden=5, latent=3, depth=2, pool="max", project=False), (None,)
    ),
    "recurrent, batch-normalised": BackboneCase(
        partial(RecurrentVAE, width=WIDTH, hidden=5, latent=3, pool="mean", posterior=BatchNormPosterior), (None,)
    ),
    "chunks": BackboneCase(partial(ChunkAutoencoder, width=WIDTH, chunk=2, latent=3), (None,)),
    "transformer": BackboneCase(
        partial(TransformerVAE, width=WIDTH, hidden=8, latent=3, depth=1, heads=2, dropout=0.2), (None,)
    ),
    "transformer, max": BackboneCase(
        partial(TransformerVAE, width=WIDTH, hidden=4, latent=3, depth=2, heads=1, pool="max", dropout=0.0), (None,)
    ),
    "text hierarchy": BackboneCase(
        partial(HierarchicalTextVAE, width=WIDTH, hidden=8, latent=2, whole_latent=3, blocks=(1, 2), stride=2, heads=2),
        (None,),
    ),
    "text hierarchy, few layers": BackboneCase(
        partial(HierarchicalTextVAE, width=8, hidden=4, latent=2, whole=0, blocks=(0, 1), stride=2, heads=1), (None,)
    ),
    "vdvae": BackboneCase(
        partial(
            VDVAE,
            enc_blocks="4x1,4d2,2d2,1x1",
            dec_blocks="1x2,2m1,4m2,4x1",
            width=WIDTH,
            widths={2: 6},
            latent=2,
            bottleneck=0.5,
        ),
        (4, 8),
    ),
    "efficient vdvae": BackboneCase(
        partial(
            EfficientVDVAE,
            up_strides="1,2x2,1",
            up_filters="4,6x3",
            width=WIDTH,
            up_mid_filters_ratio=0.5,
            up_kernel_size="3x3,1",
            up_n_blocks_per_res="0,1,0x2",
            down_n_blocks_per_res="0x2,1,0",
            latent=2,
        ),
        (4, 8),
    ),
    "nvae": BackboneCase(partial(NVAE, groups="1,2", width=WIDTH, latent=2, encoder_cells=1, decoder_cells=1), (4, 8)),
    "nvae, flow": BackboneCase(
        partial(NVAE, groups="1,1", width=WIDTH, latent=2, outer_cells=1, encoder_cells=1, decoder_cells=1, flows=1),
        (4, 8),
    ),
}

OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "elbo": partial(ELBO, per="symbol"),
    "elbo, softened": lambda: ELBO("example", Linear(10, end=0.5), FreeBits(0.7), GammaBalance(10)),
    "elbo, steered": lambda: ELBO("symbol", TargetKL(1.0, least=0.1), FreeBits(0.1, "dimension", "example")),
}

SCHEDULES: dict[str, Callable[[], KLSchedule]] = {
    "constant": partial(Constant, 0.7),
    "linear": partial(Linear, 10, start=0.1),
    "logistic": partial(Logistic, 5, 0.3),
    "cyclical": partial(Cyclical, 12, cycles=3, zero=0.25, rise=0.25),
    "target": partial(TargetKL, 1.0),
}

BALANCES: dict[str, Callable[[], KLBalance]] = {
    "gamma": partial(GammaBalance, 10),
    "square": SquareBalance,
}

REGULARIZERS: dict[str, Callable[[], Regularizer]] = {
    "bag of words": partial(BagOfWords, 0.5, hidden=3),
    "mmd": partial(MMD, 2.0),
    "mmd, all layers": partial(MMD, kernel="imq", layers="all"),
    "spectral": partial(Spectral, first_weight=1.0, layers="all"),
}


def pictures_in(root: Path) -> None:
    """Thirty small pictures in a folder."""
    generator = np.random.default_rng(0)
    for i in range(30):
        Image.fromarray(generator.integers(256, size=(4, 6, 3), dtype=np.uint8)).save(root / f"{i}.png")


def mnist_in(root: Path) -> None:
    """A few pictures as torchvision's MNIST keeps them."""
    (root / "MNIST" / "raw").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, count in {"train-images-idx3-ubyte": 15, "t10k-images-idx3-ubyte": 5}.items():
        pixels = generator.integers(256, size=(count, 28, 28), dtype=np.uint8).tobytes()
        (root / "MNIST" / "raw" / f"{name}.gz").write_bytes(
            gzip.compress(struct.pack(">4i", 2051, count, 28, 28) + pixels)
        )


def cifar_in(root: Path) -> None:
    """A few pictures as arrays."""
    generator = np.random.default_rng(0)
    for name, count in {"cifar10_train": 15, "cifar10_test1017": 5}.items():
        np.save(root / f"{name}.npy", generator.integers(256, size=(count, 32, 32, 3), dtype=np.uint8))


def imagenet_in(root: Path) -> None:
    """A few pictures as arrays."""
    generator = np.random.default_rng(0)
    for name, count in {"imagenet32-train": 15, "imagenet32-valid": 5}.items():
        np.save(root / f"{name}.npy", generator.integers(256, size=(count, 32, 32, 3), dtype=np.uint8))


def faces_in(root: Path) -> None:
    """A few squares in a folder."""
    generator = np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(generator.integers(256, size=(8, 8, 3), dtype=np.uint8)).save(root / f"{i:05d}.png")


def celeba_in(root: Path) -> None:
    """A few pictures of the size of CelebA's, and their partition."""
    generator = np.random.default_rng(0)
    (root / "img_align_celeba").mkdir()
    for i in range(12):
        pixels = generator.integers(256, size=(218, 178, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "img_align_celeba" / f"{i}.png", compress_level=1)
    (root / "list_eval_partition.txt").write_text("".join(f"{i}.png {max(0, i // 3 - 1)}\n" for i in range(12)))


def lines_in(root: Path) -> None:
    """Sixty different lines."""
    lines = [" ".join(chr(97 + (i * j) % 26) * (1 + j % 3) for j in range(2, 4 + i % 5)) for i in range(60)]
    (root / "lines.txt").write_text("\n".join(f"{line} {i}" for i, line in enumerate(lines)), encoding="utf-8")


def json_lines_in(root: Path) -> None:
    """Thirty texts in JSON lines."""
    rows = [json.dumps({"text": f"{'so ' * (i % 4)}it is {i}", "number": i}) for i in range(30)]
    (root / "texts.jsonl").write_text("\n".join(rows), encoding="utf-8")


def treebank_in(root: Path) -> None:
    """A few sentences in the files of the Penn Treebank."""
    for split, count in {"train": 13, "valid": 3, "test": 4}.items():
        lines = [f" the {chr(97 + i % 5) * (1 + i)} <unk> N {' of N' * (i % 4)} \n" for i in range(count)]
        (root / f"ptb.{split}.txt").write_text("".join(lines), encoding="utf-8")


def play_in(root: Path) -> None:
    """A few hundred characters of a play."""
    lines = [f"SPEAKER {i}:\n{'aye, nay, well ' * (1 + i % 3)}.\n\n" for i in range(20)]
    (root / "play.txt").write_text("".join(lines), encoding="utf-8")


def nothing_in(root: Path) -> None:
    """Embedded data needs no files."""


@dataclass(frozen=True)
class DataCase:
    """A data module and the files it reads.

    Args:
        make: The data module from the folder of its files.
        write: Fills the folder.
    """

    make: Callable[[Path], SymbolDataModule]
    write: Callable[[Path], None] = nothing_in

    def build(self, root: Path) -> SymbolDataModule:
        """The data module, its files in place."""
        self.write(root)
        return self.make(root)


DATA_MODULES = {
    "digits": DataCase(lambda root: DigitsDataModule(batch_size=64)),
    "sentences": DataCase(lambda root: SentencesDataModule(Words(min_count=3), max_length=90, batch_size=16)),
    "text lines": DataCase(lambda root: TextLinesDataModule(str(root), Characters(), 60, batch_size=4), lines_in),
    "hugging face": DataCase(
        lambda root: HuggingFaceTextDataModule(str(root / "texts.jsonl"), Words(), 20, batch_size=4), json_lines_in
    ),
    "penn treebank": DataCase(lambda root: PennTreebankDataModule(str(root), batch_size=4), treebank_in),
    "character blocks": DataCase(
        lambda root: CharacterBlocksDataModule(
            str(root / "play.txt"), 16, batch_size=4, val_fraction=0.2, test_fraction=0.2
        ),
        play_in,
    ),
    "image folder": DataCase(lambda root: ImageFolderDataModule(str(root), flip=True, batch_size=4), pictures_in),
    "mnist": DataCase(lambda root: MNISTDataModule(str(root), val_size=5, batch_size=4), mnist_in),
    "mnist, binarized": DataCase(
        lambda root: MNISTDataModule(str(root), val_size=5, batch_size=4, binarize=True), mnist_in
    ),
    "imagenet": DataCase(
        lambda root: ImageNetDataModule(str(root), val_size=5, complete=False, batch_size=4, flip=True), imagenet_in
    ),
    "celeba": DataCase(lambda root: CelebADataModule(str(root), size=8, complete=False, batch_size=4), celeba_in),
    "celeba-hq, 5 bits": DataCase(
        lambda root: CelebAHQDataModule(
            str(root), size=4, bits=5, test_size=3, val_size=3, complete=False, batch_size=4
        ),
        faces_in,
    ),
    "ffhq": DataCase(
        lambda root: FFHQDataModule(str(root), size=8, test_size=3, val_size=3, complete=False, batch_size=4), faces_in
    ),
    "cifar": DataCase(lambda root: CIFAR10DataModule(str(root), val_size=5, batch_size=4, flip=True), cifar_in),
}


def vae_of(head: DecoderHead, backbone: Backbone | None = None, objective: Objective | None = None) -> LitVAE:
    """A model in eval mode around a head; the backbone is a small one that fits unless given."""
    torch.manual_seed(0)
    if backbone is None:
        case = BACKBONES["recurrent" if None in head.positions else "conv"]
        backbone = case.make(embed_width=head.embed_width, shape=head.positions)
    return LitVAE(backbone, head, objective or ELBO(per="symbol")).eval()


def head_of(backbone: Backbone, positions: Sequence[int | None], vocabulary: int = 4) -> DecoderHead:
    """A small head that fits a backbone of :data:`BACKBONES`."""
    torch.manual_seed(0)
    if None in positions:
        return SoftmaxTokenHead(backbone.width, vocabulary, tuple(positions), embed_width=WIDTH).eval()
    return SoftmaxPixelHead(backbone.width, vocabulary, (WIDTH, *positions)).eval()
