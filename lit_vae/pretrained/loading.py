"""Reading a language model from a folder."""

from pathlib import Path
from typing import Any

from torch import nn


def load(folder: str, auto_class: str, key: str) -> Any:
    """A model in training mode, from a folder that ``save_pretrained`` wrote. Nothing is fetched.

    Args:
        folder: Has a ``config.json`` and the weights.
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
            f"{key} is a folder that save_pretrained wrote, with a config.json; there is none in {folder!r}"
        )
    verbosity, bar = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        return getattr(transformers, auto_class).from_pretrained(folder, local_files_only=True).float().train()
    except (OSError, ValueError) as error:
        raise ValueError(f"{key}: {auto_class} of transformers can not read {folder!r}: {error}") from error
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bar:
            transformers.logging.enable_progress_bar()


def without_table(model: Any) -> Any:
    """A model that is handed embeddings, without the table that it would look them up in."""
    model.set_input_embeddings(nn.Identity())
    return model


def check_length(length: int, model: Any) -> None:
    """Refuse texts that a model has no positions for.

    Raises:
        ValueError: If they are longer.
    """
    most = getattr(model.config, "max_position_embeddings", None)
    if most is not None and length > most:
        raise ValueError(
            f"the pretrained model has {most} positions, and a text of the batch {length} tokens: "
            f"lower data.init_args.max_length"
        )
