"""Files read in parts: every line once, whatever the parts."""

import pytest

from lit_vae.corpora.files import Lines, Stretch
from lit_vae.corpora.sources import Joined

LONG = "a long line that is longer than many a part"
CONTENT = f"\ufeffone\n\ntwo é 東京\r\n  three  \n{LONG}\n\nlast, no line end"
TEXTS = ["one", "two é 東京", "three", LONG, "last, no line end"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(CONTENT.encode())
    return path


@pytest.mark.parametrize("part_bytes", [1, 2, 3, 7, 16, 1000])
def test_every_line_is_in_one_part_whole(file, part_bytes):
    assert list(Lines(file, part_bytes)) == TEXTS


@pytest.mark.parametrize("part_bytes", [1, 3, 7, 1000])
def test_stretches_of_a_file_are_the_file(file, part_bytes):
    size = file.stat().st_size

    stretches = [Stretch(file, start, stop, part_bytes) for start, stop in ((0, 9), (9, 40), (40, size))]

    assert "".join(piece for stretch in stretches for piece in stretch) == CONTENT.removeprefix("\ufeff")
    assert len({str(stretch.key) for stretch in stretches}) == 3


def test_words_longer_than_what_is_read_at_once_stay_whole(tmp_path):
    path, content = tmp_path / "words.txt", f"{'a' * 5000} {'b' * 9000} c"
    path.write_text(content)

    pieces = list(Stretch(path, 0, len(content), part_bytes=100))

    assert pieces == [f"{'a' * 5000} ", f"{'b' * 9000} ", "c"]


@pytest.mark.parametrize("part_bytes", [4, 1000])
def test_a_byte_that_is_not_utf8_is_placed_in_the_whole_file(tmp_path, part_bytes):
    path = tmp_path / "latin.txt"
    path.write_bytes("fine\nfine\nfianc\u00e9\n".encode("latin1"))

    with pytest.raises(ValueError, match=r"not UTF-8: byte 0xe9 at offset 15, line 3.*iconv"):
        list(Lines(path, part_bytes))


def test_small_files_make_a_part_together_and_large_ones_stay_apart(tmp_path):
    for number, size in enumerate((3, 4, 15, 1, 2)):
        (tmp_path / f"{number}.txt").write_text(f"{number}" * size, encoding="utf-8")

    whole = Joined([Lines(tmp_path / f"{number}.txt") for number in range(5)], part_bytes=20)

    parts = whole.parts()
    assert [part.size for part in parts] == [7, 18]
    assert [text[0] for part in parts for text in part] == list("01234")
