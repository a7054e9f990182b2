"""A damaged file is read as it was written, or refused by its name: nothing crashes, nothing changes in silence.

Kinds without checksums may change in silence where the damage is another valid file, such as another letter in a text;
docs/damage.md says which, and what tells later.
"""

import shutil
import warnings
from collections import Counter
from random import Random

import pytest
import torch
from mangling import mangled
from samples import KINDS, LINES, read_cached, told

IN_ALL = 10_000


def outcome(read, path, whole):
    """What became of a damaged file: harmless, refused, changed, or crashed with a raw error."""
    try:
        found = told(read(path))
    except (ValueError, OSError) as error:
        return "refused" if path.name in str(error) else f"crashed: {error!r}"
    except Exception as error:
        return f"crashed: {error!r}"
    return "harmless" if found == whole else "changed"


def tally_of(name, tries, folder, seed):
    """How many damaged files of a kind came to what."""
    kind, chance = KINDS[name], Random(f"{name} {seed}")
    torch.manual_seed(0)
    path = folder / f"whole{kind.suffix}"
    kind.write(path)
    content, whole = path.read_bytes(), told(kind.read(path))
    tally = Counter()
    for number in range(tries):
        path = folder / f"damaged-{number}{kind.suffix}"
        path.write_bytes(mangled(content, chance))
        tally[outcome(kind.read, path, whole)] += 1
        path.unlink()
    return tally


def cache_tally(tries, folder, seed):
    """The same of token arrays, which are made again where they are damaged."""
    chance = Random(f"cache {seed}")
    (folder / "texts.txt").write_text("\n".join(LINES))
    whole = told(read_cached(folder / "cache" / "any" / "file"))
    (kept,) = (path for path in (folder / "cache").iterdir() if path.is_dir())
    shutil.copytree(kept, folder / "copy")
    files = sorted(path for path in kept.rglob("*") if path.is_file())
    tally = Counter()
    for _ in range(tries):
        path = chance.choice(files)
        path.write_bytes(mangled(path.read_bytes(), chance))
        tally[outcome(read_cached, folder / "cache" / "any" / "file", whole)] += 1
        shutil.rmtree(kept)
        shutil.copytree(folder / "copy", kept)
    return tally


def hold(name, tally):
    """Hold a tally against the law."""
    allowed = {"harmless", "refused"} | (set() if name == "token arrays" or KINDS[name].checked else {"changed"})
    assert set(tally) <= allowed, (name, tally)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(action="ignore"):
        yield


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_read_as_written_or_refused(name, tmp_path):
    hold(name, tally_of(name, 7, tmp_path, "quick"))


def test_damaged_token_arrays_are_made_again(tmp_path):
    hold("token arrays", cache_tally(5, tmp_path, "quick"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*KINDS, "token arrays"])
def test_ten_thousand_damaged_files_are_read_as_written_or_refused(name, tmp_path):
    tries = -(-IN_ALL // (len(KINDS) + 1))

    tally = cache_tally(tries, tmp_path, "all") if name == "token arrays" else tally_of(name, tries, tmp_path, "all")

    print(f"{name}: {dict(tally)}")
    hold(name, tally)
