"""Hyper-parameters changed at random: nothing outside of the packages that a stranger may name is imported or run."""

import random
import sys
from contextlib import suppress

import pytest
import yaml
from test_trust_payloads import PAYLOADS, changed, keys_of

from lit_vae.trust.admission import admitted_config, admitted_hyper_parameters
from lit_vae.trust.refused import Refused

WATCHED = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.remove", "socket.connect", "pty.spawn")
KEYS = ("class_path", "init_args", "dict_kwargs", "__path__", "_instantiator", "lr", "0", "callbacks")
TEXTS = ("os.system", "evil.Foo", "evil", "builtins.exec", "torch.load", "torch.hub.load", "lit_vae.cli.main")
TEXTS += ("lightning.pytorch.cli.instantiate_class", "torch.optim.Adam", "lightning.pytorch.callbacks.Timer", "a: *a")
SEEN: list[str] = []
WATCHING = [False]


def watch(event, arguments):
    if WATCHING[0] and (event.startswith(WATCHED) or (event == "import" and arguments[0].split(".")[0] == "evil")):
        SEEN.append(f"{event} {arguments}")
    if WATCHING[0] and event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        SEEN.append(f"{event} {arguments}")


def mutated(tree, draw):
    """A tree with one to three values replaced, some by one of its other branches."""
    for _ in range(draw.randint(1, 3)):
        path = draw.choice(list(keys_of(tree)))
        branch = tree
        for key in draw.choice(list(keys_of(tree))):
            branch = branch[key]
        scalars = [draw.choice(TEXTS), draw.random(), None, {draw.choice(KEYS): draw.choice(TEXTS)}]
        nested = {"class_path": draw.choice(TEXTS), "init_args": {draw.choice(KEYS): draw.choice(TEXTS)}}
        tree = changed(tree, path, draw.choice([draw.choice(list(PAYLOADS.values())), branch, nested, *scalars]))
    return tree


@pytest.mark.slow
def test_ten_thousand_changed_trees_import_and_run_nothing(scene):
    from lit_vae import LitVAE

    draw = random.Random(0)
    config = yaml.safe_load(scene.content["config"])
    file = scene.send(["hyper_parameters", "regularizers"], None)
    LitVAE.load_from_checkpoint(file)  # imports what is imported in any case
    sys.addaudithook(watch)
    admitted = refused = 0

    for number in range(10_000):
        of_config = number % 4 == 3
        tree = mutated(config if of_config else scene.content["hyper_parameters"], draw)
        WATCHING[0] = True
        try:
            if of_config:
                admitted_config({"config": yaml.safe_dump(tree)}, "theirs")
            else:
                build(admitted_hyper_parameters({"hyper_parameters": tree}, "theirs"))
            admitted += 1
        except Refused:
            refused += 1
        finally:
            WATCHING[0] = False

    print(f"\nadmitted {admitted}, refused {refused}")
    assert SEEN == []
    assert scene.marks() == []
    assert min(admitted, refused) > 100


def build(settings):
    """What loading does with what was admitted: it may be no model."""
    from lightning.pytorch.cli import instantiate_module

    from lit_vae import LitVAE
    from lit_vae.trust.guard import guarded

    with guarded({}), suppress(Exception):
        instantiate_module(LitVAE, settings).configure_optimizers()
