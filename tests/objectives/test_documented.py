"""What docs/objectives.md shows can be made."""

import importlib
import re
from pathlib import Path

import pytest
import yaml
from contracts.registry import BACKBONES
from contracts.test_regularizers import batch_of, terms_of, vae_of
from lightning.pytorch import Callback

import lit_vae.objectives
import lit_vae.regularizers
from lit_vae.callbacks import Stage, Stages
from lit_vae.objectives import ELBO, Objective, Terms
from lit_vae.regularizers import Pass, Regularizer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "objectives.md").read_text(encoding="utf-8")
OVERLAYS = [ROOT / "configs" / "overlays" / f"{name}.yaml" for name in ("bag_of_words", "cyclical", "target_kl")]


def make(node):
    """What a part of a config names."""
    if isinstance(node, list):
        return [make(item) for item in node]
    if not isinstance(node, dict) or "class_path" not in node:
        return float(node) if isinstance(node, str) and re.fullmatch(r"[\d.]+e-?\d+", node) else node
    module, _, name = node["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)(
        **{key: make(value) for key, value in node.get("init_args", {}).items()}
    )


BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("config", [*BLOCKS, *(yaml.safe_load(o.read_text()) for o in OVERLAYS)])
def test_every_block_of_yaml_and_every_overlay_can_be_made(config):
    model = config.get("model", {})

    if "objective" in model:
        arguments = model["objective"]["init_args"]
        assert isinstance(ELBO(**{"per": "symbol"} | {key: make(value) for key, value in arguments.items()}), Objective)
    for regularizer in make(model.get("regularizers", [])):
        assert isinstance(regularizer, Regularizer)
    for callback in config.get("trainer", {}).get("callbacks", []):
        stages = callback["init_args"]["stages"]
        assert isinstance(
            Stages([Stage(**{key: make(value) for key, value in stage.items()}) for stage in stages]), Callback
        )


def test_every_piece_is_on_the_page():
    pieces = {*lit_vae.objectives.__all__, *lit_vae.regularizers.__all__}
    others = {
        "Constant",
        "KLBalance",
        "KLSchedule",
        "Objective",
        "stack_kls",
        "penalties",
        Terms.__name__,
        Pass.__name__,
    }

    assert not {piece for piece in pieces - others if piece not in PAGE}


def test_the_regularizer_of_the_page_regularizes():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(code, names)
    case = BACKBONES["conv"]

    (term,) = terms_of(vae_of(case, names["SmallMeans"]), batch_of(case)).values()

    assert term > 0
