"""What a stranger could do without code: write elsewhere, tell others, delete."""

import pytest
import torch
import yaml

from lit_vae.cli import main
from lit_vae.trust.admission import admitted_config
from lit_vae.trust.given import trusting
from lit_vae.trust.places import check_callback_states
from lit_vae.trust.refused import Refused

LOGGERS = "lightning.pytorch.loggers"
WAYS_OUT = {
    "trainer.default_root_dir": "/etc",
    "checkpoint.dirpath": "elsewhere",
    "checkpoint.filename": "../../elsewhere",
    "data.init_args.cache_dir": "/home/somebody",
    "trainer.profiler": {"class_path": "lightning.pytorch.profilers.SimpleProfiler", "init_args": {"dirpath": "/etc"}},
    "trainer.callbacks": {"class_path": "lit_vae.callbacks.KeepLast", "init_args": {"folder": "/etc"}},
    "run_dir": "/etc",
    "ckpt_path": "other.ckpt",
    "trainer.logger": {"class_path": f"{LOGGERS}.WandbLogger", "init_args": {"settings": {"base_url": "https://a.b"}}},
}
MORE_LOGGERS = {
    "entity": {"class_path": f"{LOGGERS}.WandbLogger", "init_args": {"entity": "them"}},
    "keywords": {"class_path": f"{LOGGERS}.WandbLogger", "dict_kwargs": {"settings": {"base_url": "https://a.b"}}},
    "models": {"class_path": f"{LOGGERS}.WandbLogger", "init_args": {"log_model": "all"}},
    "MLflow": {"class_path": f"{LOGGERS}.MLFlowLogger", "init_args": {"tracking_uri": "https://a.b"}},
    "folder": {"class_path": f"{LOGGERS}.CSVLogger", "init_args": {"save_dir": "/etc"}},
    "name": {"class_path": f"{LOGGERS}.TensorBoardLogger", "init_args": {"save_dir": ".", "name": "/etc"}},
}


def saying(content, key, value):
    config = yaml.safe_load(content["config"])
    node = config
    *path, last = key.split(".")
    for name in path:
        node = node[name]
    node[last] = value
    return {"config": yaml.safe_dump(config)}


@pytest.mark.parametrize("key", WAYS_OUT)
def test_a_stranger_does_not_say_where_to_write(key, content):
    with pytest.raises(Refused, match=key):
        admitted_config(saying(content, key, WAYS_OUT[key]), "theirs")


@pytest.mark.parametrize("name", MORE_LOGGERS)
def test_a_stranger_does_not_say_whom_to_tell(name, content):
    with pytest.raises(Refused, match=r"--trainer\.logger"):
        admitted_config(saying(content, "trainer.logger", [MORE_LOGGERS[name]]), "theirs")


def test_what_the_user_says_himself_is_not_the_strangers(content):
    theirs = saying(content, "trainer.logger", [MORE_LOGGERS["MLflow"]])

    with trusting(config={"trainer": {"logger": {"class_path": "false"}}}):
        assert "logger" not in yaml.safe_load(admitted_config(theirs, "theirs"))["trainer"]


def test_a_flag_takes_the_place_of_what_was_refused(scene, capsys):
    scene.send(["config", "trainer", "logger"], [MORE_LOGGERS["entity"]])

    assert main(["test", "--ckpt_path", "theirs", "--limit", "4"]) == 2
    assert "--trainer.logger" in capsys.readouterr().err
    assert main(["test", "--ckpt_path", "theirs", "--limit", "4", "--trainer.logger", "false"]) == 0


@pytest.mark.parametrize("path", ["local:///home/me", "memory://x", "a::b", "/run/checkpoints/../../home/me"])
def test_a_resumed_run_deletes_no_file_that_its_checkpoint_names(path, scene, capsys):
    state = {"best_model_path": "", "best_k_models": {path: torch.tensor(1.0)}, "dirpath": "here"}
    with pytest.raises(Refused, match="as a checkpoint of the run"):
        check_callback_states({"ModelCheckpoint{}": state}, "theirs")
    with pytest.raises(Refused, match="as a checkpoint of the run"):
        check_callback_states({"ModelCheckpoint{}": {"kth_best_model_path": path}}, "theirs")

    scene.content = {**scene.content, "callbacks": {"ModelCheckpoint{}": state}}
    scene.send(["hyper_parameters", "regularizers"], None)
    assert main(["fit", "--ckpt_path", "theirs", "--trainer.max_epochs", "2"]) == 2
    assert "as a checkpoint of the run" in capsys.readouterr().err
