"""English sentences that come with Python: the embedded text, no download."""

import re
from collections.abc import Iterator, Mapping

from lit_vae.corpora.division import divided
from lit_vae.corpora.encoding import TooLong
from lit_vae.corpora.sources import TextList, TextSource
from lit_vae.data.base import Split
from lit_vae.data.text import TextDataModule
from lit_vae.tokenizers import TokenizerTrainer

SHORTEST, LONGEST = 20, 400
"""Characters of a sentence."""

OPEN, CLOSE = r"[\"\u201c(*]", r"[\"\u201d\u2019)]*"
BREAK = re.compile(rf"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)([.!?]{CLOSE}) (?=[A-Z]|{OPEN}+\w)")
WHOLE = re.compile(rf"{OPEN}*[A-Z].*[.!?]{CLOSE}")
LISTING = re.compile(r"::=|>>>|\.\.\.|==| \| ")
ITEM = re.compile(r"^(\*|\d+\.|\[\d+\]) ")


def sentences() -> list[str]:
    """Different sentences of the prose of Python's language reference, 20 to 400 characters each.

    They vary a little with the release of Python.
    """
    from pydoc_data.topics import topics

    found = (sentence for name in sorted(topics) for sentence in sentences_of(topics[name]))
    return list(dict.fromkeys(found))


def sentences_of(topic: str) -> Iterator[str]:
    """The sentences of one topic; its code, grammar and tables are passed over.

    Args:
        topic: Plain text whose paragraphs are divided by empty lines.
    """
    for paragraph in re.split(r"\n\s*\n", topic):
        words = ITEM.sub("", " ".join(re.sub(r"(?<=\w)-\n\s*", "-", paragraph).split()))
        for sentence in BREAK.sub(r"\1\n", words).split("\n"):
            if SHORTEST <= len(sentence) <= LONGEST and WHOLE.fullmatch(sentence) and not LISTING.search(sentence):
                yield sentence


class SentencesDataModule(TextDataModule):
    """English sentences from Python's language reference: about 2,100, each different, in three splits.

    Args:
        tokenizer: What trains the tokenizer, such as ``lit_vae.tokenizers.BPE``.
        max_length: Most tokens of a sentence, its end symbol included; also what generation runs to.
        batch_size: Sentences a batch and device.
        too_long: What becomes of a longer sentence: ``error``, ``drop`` or ``truncate``.
        split_seed: Another seed, another division into eight tenths, one tenth and one tenth.
        num_workers: Processes that load ahead; 0 loads in the main process.

    Source:
        The Python documentation, as the standard library's ``pydoc_data.topics`` has it, https://docs.python.org.
    """

    def __init__(
        self,
        tokenizer: TokenizerTrainer,
        max_length: int,
        batch_size: int = 32,
        too_long: TooLong = "error",
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(tokenizer, max_length, batch_size, too_long, num_workers)
        self.split_seed = split_seed

    @property
    def corpus(self) -> str:
        return "sentences"

    def read(self) -> Mapping[Split, TextSource]:
        train, val, test = divided(TextList(sentences()), self.split_seed, 0.1, 0.1, self.workers)
        return {"train": train, "val": val, "test": test}
