"""How long a text a pretrained model can read."""

from typing import Any

from torch import nn


def most_positions(model: Any) -> int | None:
    """The longest text that a model was made for, in tokens; None where nothing limits it.

    A table of positions limits it, and so does the length that rotary embeddings were trained to. Linear biases (ALiBi)
    and recurrences do not. RoBERTa and its kin leave the first positions of their table to padding.
    """
    config = model.config.get_text_config()
    most = getattr(config, "max_position_embeddings", None)
    if most is None or most < 1 or getattr(config, "alibi", False):
        return None
    reserved = [
        table.padding_idx + 1
        for name, table in model.named_modules()
        if isinstance(table, nn.Embedding)
        and "position" in name.rpartition(".")[2]
        and table.padding_idx is not None
        and table.num_embeddings == most
    ]
    return most - max(reserved, default=0)


def check_length(length: int, most: int | None) -> None:
    """Refuse texts that a model has no positions for.

    Args:
        length: Of the longest text, in tokens.
        most: See :func:`most_positions`.

    Raises:
        ValueError: If it is longer.
    """
    if most is not None and length > most:
        raise ValueError(
            f"the pretrained model has {most} positions, and a text may have {length} tokens: set "
            f"data.init_args.max_length (data.init_args.length for blocks) to {most} or less, "
            f"or choose a model that reads longer texts"
        )
