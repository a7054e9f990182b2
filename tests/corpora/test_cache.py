"""What is kept is whole, made once, and belongs to its key."""

from threading import Thread

import pytest

from lit_vae.corpora import cache
from lit_vae.corpora.cache import kept


def make(folder):
    (folder / "file").write_text("whole")


def test_a_key_has_one_folder_and_another_key_another(tmp_path):
    one, same, other = (kept(tmp_path, key, make) for key in ([1, "a"], [1, "a"], [1, "b"]))

    assert one == same != other
    assert (one / "file").read_text() == "whole"


def test_what_another_format_kept_is_not_read(tmp_path, monkeypatch):
    before = kept(tmp_path, "key", make)
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)

    assert kept(tmp_path, "key", make) != before


def test_of_several_that_ask_at_once_one_makes_it(tmp_path):
    made = []

    def slow(folder):
        made.append(folder)
        make(folder)

    threads = [Thread(target=kept, args=(tmp_path, "key", slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert (kept(tmp_path, "key", make) / "file").exists()


def test_what_was_not_finished_is_begun_again(tmp_path):
    def interrupted(folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, "key", interrupted)

    assert sorted(path.name for path in kept(tmp_path, "key", make).iterdir()) == ["checksums.json", "file", "key.json"]


def test_an_error_of_the_corpus_is_not_one_of_the_cache(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"corpus\.txt"):
        kept(tmp_path / "cache", "key", lambda folder: (tmp_path / "corpus.txt").read_text())


def test_a_full_disk_is_said_with_the_key_to_change(tmp_path):
    def full(folder):
        raise OSError(28, "No space left on device", str(folder / "ids.bin"))

    with pytest.raises(OSError, match=r"No space left on device.*data\.init_args\.cache_dir"):
        kept(tmp_path, "key", full)


def cut(place):
    (place / "file").write_text("who")


def change(place):
    (place / "file").write_text("whale")


def lose(place):
    (place / "file").unlink()


def lose_sums(place):
    (place / "checksums.json").write_text("{")


@pytest.mark.parametrize("damage", [cut, change, lose, lose_sums])
def test_what_is_damaged_is_made_again_aloud(tmp_path, damage):
    damage(kept(tmp_path, "key", make))

    with pytest.warns(UserWarning, match=r"is damaged \(.*(file|checksums\.json) .*\): it is made again"):
        place = kept(tmp_path, "key", make)

    assert (place / "file").read_text() == "whole"
    assert not list(tmp_path.glob(".*.unfinished"))


def test_a_link_where_it_is_made_is_not_followed(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    name = kept(tmp_path / "elsewhere", "key", make).name
    (tmp_path / f".{name}.unfinished").symlink_to(tmp_path / "precious")

    kept(tmp_path, "key", make)

    assert (tmp_path / "precious" / "file").read_text() == "mine"
