"""The configs in the docs on text backbones name what there is."""

import re
from pathlib import Path

import pytest
import yaml

from lit_vae.cli import configs, preflight

PAGE = (Path(__file__).parents[2] / "docs" / "text_backbones.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL))
def test_a_block_of_yaml_names_classes_and_arguments_that_are_there(block):
    preflight.check(yaml.safe_load(block), "docs/text_backbones.md")


def test_the_configs_that_it_names_are_packaged():
    assert set(re.findall(r"`(\w+\.yaml)`", PAGE)) <= set(configs.names())
