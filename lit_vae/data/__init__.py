"""Data modules: three splits of integer symbols."""

from lit_vae.data.base import AnySplit, Split, SymbolDataModule
from lit_vae.data.dataset import SymbolDataset
from lit_vae.data.images import ImageDataModule, ImageDataset
from lit_vae.data.images_celeba import CelebADataModule
from lit_vae.data.images_cifar10 import CIFAR10DataModule
from lit_vae.data.images_digits import DigitsDataModule
from lit_vae.data.images_faces import CelebAHQDataModule, FFHQDataModule
from lit_vae.data.images_folder import ImageFolderDataModule
from lit_vae.data.images_imagenet import ImageNetDataModule
from lit_vae.data.images_mnist import MNISTDataModule
from lit_vae.data.sentences import SentencesDataModule
from lit_vae.data.text import TextDataModule, TextDataset
from lit_vae.data.text_blocks import BlockDataset, CharacterBlocksDataModule
from lit_vae.data.text_datasets import HuggingFaceTextDataModule
from lit_vae.data.text_lines import TextLinesDataModule
from lit_vae.data.text_ptb import PennTreebankDataModule

__all__ = [
    "AnySplit",
    "BlockDataset",
    "CIFAR10DataModule",
    "CelebADataModule",
    "CelebAHQDataModule",
    "CharacterBlocksDataModule",
    "DigitsDataModule",
    "FFHQDataModule",
    "HuggingFaceTextDataModule",
    "ImageDataModule",
    "ImageDataset",
    "ImageFolderDataModule",
    "ImageNetDataModule",
    "MNISTDataModule",
    "PennTreebankDataModule",
    "SentencesDataModule",
    "Split",
    "SymbolDataModule",
    "SymbolDataset",
    "TextDataModule",
    "TextDataset",
    "TextLinesDataModule",
]
