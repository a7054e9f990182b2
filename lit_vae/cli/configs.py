"""The packaged configs: found by name, listed with a line on each."""

from pathlib import Path

from lit_vae.cli import near
from lit_vae.commands import command

PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """Where the configs lie: inside an installed package, beside the package in a checkout."""
    installed = PACKAGE / "configs"
    return installed if installed.is_dir() else PACKAGE.parent / "configs"


def names() -> list[str]:
    """Names of the packaged configs, overlays last, such as ``digits.yaml`` and ``overlays/binarized.yaml``."""
    found = [file.relative_to(folder()) for file in folder().rglob("*.yaml")]
    return [file.as_posix() for file in sorted(found, key=lambda file: (len(file.parts), file))]


def resolve(name: str) -> Path:
    """The file that a ``--config`` names: the user's own, else a packaged one.

    Raises:
        FileNotFoundError: If there is neither; the message names the near misses.
    """
    own = Path(name)
    if own.is_file():
        return own
    for packaged in (folder() / name, folder() / f"{name}.yaml"):
        if packaged.is_file():
            return packaged
    raise FileNotFoundError(
        f"--config {name}: no such file, nor a packaged config{near(name, names())}; {command('configs')} lists them"
    )


def describe(name: str) -> str:
    """A config's one-line description: the comment that opens it."""
    first = (folder() / name).read_text(encoding="utf-8").splitlines()[0]
    return first.removeprefix("#").strip()


def show(args: list[str]) -> None:
    """List the packaged configs."""
    if args and args[0] not in ("-h", "--help"):
        raise ValueError(f"configs takes no arguments, got {' '.join(args)}")
    width = max(map(len, names()))
    for name in names():
        print(f"{name:<{width}}  {describe(name)}")
