"""Finding the file or folder that a user named."""

import difflib
from pathlib import Path


def existing(root: str, otherwise: str = "") -> Path:
    """The file or folder that ``data.init_args.root`` names.

    Args:
        root: As the user wrote it.
        otherwise: What else would help, for the message.

    Raises:
        FileNotFoundError: If there is none; what is near is named.
    """
    path = Path(root).expanduser().absolute()
    if path.exists():
        return path
    parent = next(above for above in path.parents if above.is_dir())
    first_missing = path.relative_to(parent).parts[0]
    siblings = sorted(sibling.name for sibling in parent.iterdir())
    near = difflib.get_close_matches(first_missing, siblings, n=3, cutoff=0.5)
    hint = f" (there is {', '.join(near)})" if near else ""
    raise FileNotFoundError(f"no file or folder {root}: {parent} has no {first_missing}{hint}; {change(otherwise)}")


def existing_folder(root: str, otherwise: str = "") -> Path:
    """The folder that ``data.init_args.root`` names.

    Args:
        root: As the user wrote it.
        otherwise: What else would help, for the message.

    Raises:
        FileNotFoundError: If there is none; what is near is named.
        NotADirectoryError: If it is a file.
    """
    folder = existing(root, otherwise)
    if not folder.is_dir():
        raise NotADirectoryError(f"{root} is a file, a folder is needed: {change(otherwise)}")
    return folder


def change(otherwise: str) -> str:
    """What to do about it."""
    return ", ".join(filter(None, ["change data.init_args.root (--data.root)", otherwise]))


def existing_file(root: str, otherwise: str = "") -> Path:
    """The file that ``data.init_args.root`` names.

    Args:
        root: As the user wrote it.
        otherwise: What else would help, for the message.

    Raises:
        FileNotFoundError: If there is none; what is near is named.
        IsADirectoryError: If it is a folder.
    """
    path = existing(root, otherwise)
    if path.is_dir():
        held = ", ".join(sorted(inside.name for inside in path.iterdir())[:5]) or "nothing"
        raise IsADirectoryError(f"{root} is a folder (it holds {held}), a file was expected; {change(otherwise)}")
    return path
