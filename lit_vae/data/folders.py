"""Finding the folder that a user named."""

import difflib
from pathlib import Path


def existing_folder(root: str, otherwise: str = "") -> Path:
    """The folder that ``data.init_args.root`` names.

    Args:
        root: As the user wrote it.
        otherwise: What else would help, for the message.

    Raises:
        FileNotFoundError: If there is none; what is near is named.
        NotADirectoryError: If it is a file.
    """
    folder = Path(root).expanduser()
    change = ", ".join(filter(None, ["change data.init_args.root (--data.root)", otherwise]))
    if folder.is_dir():
        return folder
    if folder.exists():
        raise NotADirectoryError(f"{root} is a file, a folder is needed: {change}")
    parent = next(above for above in folder.absolute().parents if above.is_dir())
    first_missing = folder.absolute().relative_to(parent).parts[0]
    siblings = sorted(path.name for path in parent.iterdir() if path.is_dir())
    near = difflib.get_close_matches(first_missing, siblings, n=3, cutoff=0.5)
    hint = f" (there is {', '.join(near)})" if near else ""
    raise FileNotFoundError(f"no folder {root}: {parent} has no {first_missing}{hint}; {change}")
