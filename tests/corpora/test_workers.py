"""Work that is shared by processes is what one would have done."""

import operator
import subprocess
import sys

import pytest

from lit_vae.corpora.encoding import EncodeTexts
from lit_vae.corpora.files import Lines
from lit_vae.corpora.workers import Workers
from lit_vae.tokenizers import Words


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(f"line {'x ' * (i % 5)}{i % 7}" for i in range(50)), encoding="utf-8")
    return Lines(path, part_bytes=100)


def test_two_processes_make_in_order_what_one_makes(lines):
    encode = EncodeTexts(Words().train(lines), 20, "error")

    alone, shared = (list(Workers(number).map(encode, lines.parts(), "encoding")) for number in (1, 2))

    assert len(lines.parts()) > 4
    for (columns, tally), (others, other) in zip(alone, shared, strict=True):
        assert tally == other
        assert all((columns[name] == others[name]).all() for name in columns)


def test_an_error_in_a_process_is_the_users_to_see(lines):
    encode = EncodeTexts(Words(unknown="error").train(["line x 1"]), 20, "error")

    with pytest.raises(ValueError, match=r"'0' is not among"):
        list(Workers(2).map(encode, lines.parts(), "encoding"))


def test_a_process_that_dies_is_explained(lines):
    with pytest.raises(RuntimeError, match="tokenize_processes=1"):
        list(Workers(2).map(operator.methodcaller("die"), [Dying(), Dying()], "dying"))


class Dying:
    """A part that ends the process that reads it."""

    size = 1

    def die(self):
        import os

        os._exit(1)


def test_a_process_that_tokenizes_does_not_wait_for_torch():
    modules = "lit_vae.corpora.encoding, lit_vae.corpora.division, lit_vae.corpora.files, lit_vae.corpora.arrow"

    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "False\n"


def test_fewer_than_one_process_is_refused():
    with pytest.raises(ValueError, match="tokenize_processes"):
        Workers(0)


def test_processes_live_through_a_with_block_and_no_longer(lines):
    workers = Workers(2)
    name = operator.methodcaller("name")

    with workers:
        first, second = (set(workers.map(name, [Named(), Named(), Named()], "naming")) for _ in range(2))
    third = set(workers.map(name, [Named(), Named(), Named()], "naming"))

    assert second & first
    assert not third & (first | second)


class Named:
    """A part that knows the process that reads it."""

    size = 1

    def name(self):
        import os

        return os.getpid()
