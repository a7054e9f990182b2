"""Every payload, under every key of the hyper-parameters and of the config, and through every verb: nothing runs."""

import copy

import pytest
import yaml

from lit_vae import LitVAE
from lit_vae.cli import main
from lit_vae.trust.admission import admitted_config, admitted_hyper_parameters
from lit_vae.trust.refused import Refused

SYSTEM = {"class_path": "os.system", "init_args": {"command": "touch PWNED"}}
FOO = {"class_path": "evil.Foo"}
PAYLOADS = {
    "shell": SYSTEM,
    "under Any": {
        "class_path": "torch.optim.swa_utils.SWALR",
        "init_args": {"swa_lr": 0.1, "anneal_epochs": SYSTEM},
    },
    "own folder": FOO,
    "in a list": [FOO],
    "in a list of lists": [[SYSTEM]],
    "hooks": {"class_path": "lightning.pytorch.callbacks.LambdaCallback", "init_args": {"on_fit_start": "evil.hook"}},
    "made in a callback": {"class_path": "lightning.pytorch.callbacks.Timer", "init_args": {"duration": SYSTEM}},
    "lambda": {"class_path": "torch.optim.lr_scheduler.LambdaLR", "init_args": {"lr_lambda": "evil.hook"}},
    "by keywords": {"class_path": "torch.optim.Adam", "dict_kwargs": {"lr": SYSTEM}},
    "a module of ours that imported os": {
        "class_path": "lit_vae.trust.key.os.system",
        "init_args": {"command": "true"},
    },
    "an import of ours": {"class_path": "lit_vae.trust.places.PurePosixPath"},
    "hub": {"class_path": "torch.hub.load", "init_args": {"repo_or_dir": ".", "source": "local"}},
    "extension": {"class_path": "torch.utils.cpp_extension.load"},
    "in a text": "{class_path: evil.Foo}",
    "in a text of more lines": "a:\n- class_path: os.system\n  init_args: {command: touch PWNED}\n",
    "bomb in a text": "{a: &a [1, 1], b: &b [*a, *a], c: [*b, *b]}",
    "tag in a text": "[!!python/object/apply:os.system [touch PWNED]]",
    "path of a config": {"class_path": "evil.Foo", "__path__": "evil.yaml"},
    "no text": {"class_path": ["evil.Foo"]},
}


def keys_of(node, path=()):
    """The path to every value of a tree."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield (*path, name)
            yield from keys_of(child, (*path, name))
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield (*path, number)
            yield from keys_of(child, (*path, number))


def changed(tree, path, value):
    tree = copy.deepcopy(tree)
    node = tree
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return tree


@pytest.mark.parametrize("name", PAYLOADS)
def test_no_key_of_the_hyper_parameters_takes_a_payload(name, scene):
    tree = {**scene.content["hyper_parameters"], "regularizers": None, "new": None}

    for path in keys_of(tree):
        with pytest.raises(Refused, match=r"theirs: hyper_parameters"):
            admitted_hyper_parameters({"hyper_parameters": changed(tree, path, PAYLOADS[name])}, "theirs")

    assert scene.marks() == []


@pytest.mark.parametrize("name", PAYLOADS)
def test_no_key_of_the_config_takes_a_payload(name, scene):
    tree = {**yaml.safe_load(scene.content["config"]), "new": None}
    tree["trainer"]["logger"] = [{"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"name": "me"}}]
    harmless = 0

    for path in keys_of(tree):
        try:
            admitted_config({"config": yaml.safe_dump(changed(tree, path, PAYLOADS[name]))}, "theirs")
            harmless += 1
        except Refused:
            continue

    assert scene.marks() == []
    # a learning-rate finder of Lightning's, say, where callbacks belong, is what a stranger may ask for
    assert harmless == 0


@pytest.mark.parametrize("value", ["evil.Foo", "os.system", "evil.yaml", "./evil.yaml"])
@pytest.mark.parametrize(
    "key", ["model.backbone", "model.optimizer", "model.scheduler", "trainer.callbacks", "trainer.strategy", "data"]
)
def test_a_path_as_a_text_is_a_class_path_where_a_class_belongs(key, value, scene):
    tree = yaml.safe_load(scene.content["config"])
    (scene.folder / "evil.yaml").write_text("class_path: evil.Foo\n")

    with pytest.raises(Refused, match=key):
        admitted_config({"config": yaml.safe_dump(changed(tree, key.split("."), value))}, "theirs")


DOORS = {
    "hyper_parameters": (["hyper_parameters", "scheduler"], PAYLOADS["under Any"]),
    "instantiator": (["hyper_parameters", "_instantiator"], "evil.hook"),
    "class path of the model": (["hyper_parameters", "_class_path"], "evil.Foo"),
    "config": (["config", "trainer", "callbacks"], PAYLOADS["made in a callback"]),
    "own folder": (["config", "data"], FOO),
    "another run": (["config", "run_dir"], "other"),
    "the name of a file": (["config"], "evil.yaml"),
    "tag": (["config"], "model: !!python/object/apply:os.system [touch PWNED]"),
    "bomb": (["config"], "a: &a [1]\nb: &b [*a, *a]\n"),
    "deep": (["config"], "[" * 5000),
    "no text": (["config"], {1: 2}),
}
VERBS = {
    "fit": ["--ckpt_path"],
    "fit from": ["--trainer.max_epochs", "2", "--init_from"],
    "validate": ["--ckpt_path"],
    "test": ["--ckpt_path"],
    "sample": ["--ckpt_path"],
    "reconstruct": ["--ckpt_path"],
    "encode": ["--ckpt_path"],
    "decode": ["--latents", "latents.pt", "--ckpt_path"],
    "interpolate": ["--ckpt_path"],
    "traverse": ["--ckpt_path"],
}


@pytest.mark.parametrize("door", DOORS)
def test_no_verb_opens_a_door(door, scene, capsys):
    path, value = DOORS[door]
    scene.send(path, value)
    (scene.folder / "evil.yaml").write_text(yaml.safe_dump({"data": FOO}))
    of_model = path[0] == "hyper_parameters"

    for verb, words in VERBS.items():
        if of_model and verb.startswith(("fit", "validate", "test")):
            continue  # they build the model that the config says
        assert main([verb.split()[0], *words, "theirs"]) == 2, verb
        assert "No run of yours signed" in capsys.readouterr().err, verb
        assert scene.marks() == [], verb

    if of_model:
        with pytest.raises(Refused, match="No run of yours signed"):
            LitVAE.load_from_checkpoint(scene.file)
    assert scene.marks() == []


def test_older_names_of_hyper_parameters_are_not_read(scene):
    scene.content = {**scene.content, "hparams": {"scheduler": PAYLOADS["under Any"]}, "hparams_name": "backbone"}
    scene.content["module_arguments"] = scene.content["hparams"]
    file = scene.send(["hyper_parameters", "regularizers"], None)

    LitVAE.load_from_checkpoint(file)

    assert scene.marks() == []


def test_what_a_stranger_may_name_is_built(scene):
    file = scene.send(
        ["hyper_parameters", "scheduler"],
        {"class_path": "lightning.pytorch.cli.ReduceLROnPlateau", "init_args": {"monitor": "val/nelbo"}},
    )

    vae = LitVAE.load_from_checkpoint(file)

    assert type(vae.configure_optimizers()["lr_scheduler"]["scheduler"]).__name__ == "ReduceLROnPlateau"


def test_the_message_names_file_key_class_and_flag(scene, capsys):
    scene.send(["config", "trainer", "callbacks"], [FOO])

    main(["test", "--ckpt_path", "theirs"])

    said = capsys.readouterr().err
    assert all(part in said for part in ("last.ckpt", "trainer.callbacks.class_path", "evil.Foo", "--trust evil"))


def test_a_module_of_the_standard_library_is_not_offered(scene):
    file = scene.send(["hyper_parameters", "scheduler"], SYSTEM)

    with pytest.raises(Refused, match=r"os\.system") as refused:
        LitVAE.load_from_checkpoint(file)

    assert "--trust" not in str(refused.value)
