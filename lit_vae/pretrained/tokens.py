"""Whether the data's ids are those of a pretrained model."""

from lit_vae.symbols import Blocks, Symbols, Tokens
from lit_vae.tokenizers import BPETokenizer
from lit_vae.tokenizers.pretrained import read_tokenizer


def check_tokens(symbols: Symbols, folder: str, key: str) -> None:
    """Refuse data whose ids stand for something else in a pretrained model.

    Args:
        symbols: The data's.
        folder: The model's, with its ``tokenizer.json``.
        key: The argument that names the folder, for messages.

    Raises:
        ValueError: If the folder has no tokenizer, or an id is another piece of text in it.
    """
    assert isinstance(symbols, Blocks | Tokens)
    theirs = BPETokenizer(read_tokenizer(folder, key)).pieces()
    cure = (
        "name one folder in data.init_args.tokenizer (lit_vae.tokenizers.Pretrained), in "
        "model.backbone.init_args.folder and in model.head.init_args.folder, or folders that share one tokenizer; "
        "a backbone without a folder, such as lit_vae.backbones.TransformerVAE, reads any tokens"
    )
    if not isinstance(symbols.tokenizer, BPETokenizer):
        raise ValueError(
            f"{key}: the model of {folder!r} has a tokenizer of its own, and the tokens of '{symbols.name}' are from "
            f"another, {type(symbols.tokenizer).__name__}: {cure}"
        )
    for piece, number in symbols.tokenizer.pieces().items():
        if theirs.get(piece) != number:
            raise ValueError(
                f"{key}: token {number} of '{symbols.name}' is {piece!r}, and in the tokenizer of {folder!r} "
                f"{piece!r} is {f'token {theirs[piece]}' if piece in theirs else 'no token'}: {cure}"
            )
