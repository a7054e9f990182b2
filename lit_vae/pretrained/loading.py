"""Reading a language model from a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn


class Loaded(NamedTuple):
    """A model, and the parameters that its folder has no weights for.

    Args:
        model: In training mode, float32.
        missing: Their names. They were drawn at random.
    """

    model: Any
    missing: list[str]


def load(folder: str, auto_class: str, key: str) -> Loaded:
    """A model from a folder that ``save_pretrained`` wrote. Nothing is fetched, and no code of the folder is run.

    Args:
        folder: Has a ``config.json`` and the weights as safetensors.
        auto_class: Of transformers: ``AutoModel`` or ``AutoModelForCausalLM``.
        key: The argument that names the folder, for messages.

    Raises:
        ImportError: If transformers is not installed.
        ValueError: If there is no model in the folder, or none of this kind.
    """
    try:
        import transformers
    except ImportError as error:
        raise ImportError("a pretrained language model needs transformers: pip install 'lit_vae[hf]'") from error
    if not (Path(folder) / "config.json").is_file():
        raise ValueError(
            f"{key} must be a folder that save_pretrained wrote, with a config.json; there is none in {folder!r}"
        )
    with quietly(transformers.logging):
        try:
            model, found = getattr(transformers, auto_class).from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise ValueError(f"{key}: {auto_class} of transformers cannot read {folder!r}: {error}") from error
    return Loaded(model.train(), sorted(found["missing_keys"]))


@contextmanager
def quietly(logging: Any) -> Iterator[None]:
    """A context in which transformers draws no bars and logs errors alone.

    Args:
        logging: ``transformers.logging``.
    """
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def check_weights(loaded: Loaded, part: nn.Module, folder: str, key: str) -> None:
    """Refuse a model whose folder lacks weights: they would be random numbers.

    Args:
        loaded: The model.
        part: What is used of it.
        folder: Where it was read.
        key: The argument that names the folder, for messages.

    Raises:
        ValueError: If some are missing from the part that is used.
    """
    used = {id(parameter) for parameter in part.parameters()}
    missing = [
        name
        for name, parameter in loaded.model.named_parameters(remove_duplicate=False)
        if name in loaded.missing and id(parameter) in used
    ]
    if missing:
        raise ValueError(
            f"{key}: {folder!r} lacks {len(missing)} of the weights of {type(loaded.model).__name__}, among them "
            f"{missing[0]}: name a folder that save_pretrained of that class wrote"
        )


def plain_tokens(model: Any, tokens: int, count: int) -> list[int]:
    """Ids from all over a vocabulary, none of them a special token where there are others.

    Args:
        model: Whose vocabulary it is.
        tokens: Only the first this many ids are used.
        count: How many.
    """
    config = model.config.get_text_config()
    found = [getattr(config, f"{name}_token_id", None) for name in ("bos", "eos", "pad")]
    special = {number for some in found for number in (some if isinstance(some, list) else [some])}
    plain = [number for number in range(tokens) if number not in special] or [*range(tokens)]
    return [plain[len(plain) * number // count] for number in range(count)]


def without_table(model: Any) -> Any:
    """A model that is handed embeddings, without the table that it would look them up in."""
    model.set_input_embeddings(nn.Identity())
    return model
