"""The data module of a config, without its model."""

from typing import TypeVar

import yaml
from jsonargparse import ArgumentParser

from lit_vae.cli.configs import resolve
from lit_vae.data import SymbolDataModule

Module = TypeVar("Module", bound=SymbolDataModule)


def of_config(config: str, overrides: list[str], kind: type[Module]) -> Module:
    """What the ``data`` of a config makes.

    Args:
        config: A file, or the name of a packaged one.
        overrides: Such as ``--data.root DIR``.
        kind: What it must be.
    """
    settings = yaml.safe_load(resolve(config).read_text(encoding="utf-8"))["data"]
    parser = ArgumentParser()
    parser.add_subclass_arguments(kind, "data")
    module: Module = parser.instantiate(parser.parse_args([f"--data={yaml.safe_dump(settings)}", *overrides])).data
    return module
