"""The Penn Treebank as language models read it."""

from collections.abc import Mapping

from lit_vae.corpora.encoding import TooLong
from lit_vae.corpora.files import Lines
from lit_vae.corpora.sources import TextSource
from lit_vae.data.base import Split
from lit_vae.data.folders import existing_folder
from lit_vae.data.text import TextDataModule
from lit_vae.tokenizers import TokenizerTrainer, Words

FILES: dict[Split, str] = {"train": "ptb.train.txt", "val": "ptb.valid.txt", "test": "ptb.test.txt"}


class PennTreebankDataModule(TextDataModule):
    """The Penn Treebank, 42,068, 3,370 and 3,761 sentences, as Mikolov prepared it: lower case, rare words ``<unk>``.

    The vocabulary is that of He et al. (2019), 10,002 symbols in the order in which they first occur: the 9,999 words
    of the training split, ``<unk>`` among them, the end symbol, and ``<pad>`` and ``<s>``, which no sentence has. Here
    as there the end symbol is scored and the start of a sentence is not, so a perplexity's denominator is words and end
    symbols: 82,430 of the test split.

    Args:
        root: The folder of ptb.train.txt, ptb.valid.txt and ptb.test.txt. The text is licensed by the LDC.
        tokenizer: What trains the tokenizer; null for the vocabulary above.
        max_length: Most tokens of a sentence, its end symbol included; also what generation runs to. The longest
            sentence has 83.
        batch_size: Sentences a batch and device.
        too_long: What becomes of a longer sentence: ``error``, ``drop`` or ``truncate``.
        num_workers: Processes that load ahead; 0 loads in the main process.
        cache_dir: Where token arrays are kept; null for ``~/.cache/lit_vae``.
        tokenize_processes: Most processes that tokenize; null for one a core.

    Source:
        Marcus, Santorini & Marcinkiewicz, 1993, https://aclanthology.org/J93-2004; prepared by Mikolov et al., 2010,
        Recurrent neural network based language model; vocabulary: He et al., 2019, https://arxiv.org/abs/1901.05534.
    """

    def __init__(
        self,
        root: str,
        tokenizer: TokenizerTrainer | None = None,
        max_length: int = 100,
        batch_size: int = 32,
        too_long: TooLong = "error",
        num_workers: int = 0,
        cache_dir: str | None = None,
        tokenize_processes: int | None = None,
    ) -> None:
        tokenizer = tokenizer or Words(order="occurrence", reserved=["<pad>", "<s>"])
        super().__init__(tokenizer, max_length, batch_size, too_long, num_workers, cache_dir, tokenize_processes)
        self.root = root

    @property
    def corpus(self) -> str:
        return "penn treebank"

    def read(self) -> Mapping[Split, TextSource]:
        folder = existing_folder(self.root)
        missing = [name for name in FILES.values() if not (folder / name).is_file()]
        if missing:
            held = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
            raise FileNotFoundError(
                f"no {' and no '.join(missing)} in {folder} (it holds {held}): change data.init_args.root (--data.root)"
            )
        return {split: Lines(folder / name) for split, name in FILES.items()}
