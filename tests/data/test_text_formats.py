"""Files that are no plain text: each is refused by the name of what it is, with what to do."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from lit_vae.data import CharacterBlocksDataModule, HuggingFaceTextDataModule, TextLinesDataModule
from lit_vae.tokenizers import Bytes

LINES = [f"line number {i}, naïve" for i in range(40)]
TEXT = "\n".join(LINES) + "\n"
UTF8 = TEXT.encode()


def lines_of(root):
    return TextLinesDataModule(str(root), Bytes(), 64, tokenize_processes=1)


def blocks_of(root):
    return CharacterBlocksDataModule(str(root), 4, val_fraction=0.2, test_fraction=0.2, tokenize_processes=1)


def rows_of(root):
    return HuggingFaceTextDataModule(str(root), Bytes(), 64)


def tar(name, content):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def zipped(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def picture():
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    return file.getvalue()


def array():
    file = io.BytesIO()
    np.save(file, np.arange(8))
    return file.getvalue()


JSON_LINES = "\n".join(json.dumps({"text": line}) for line in LINES).encode()
ROWS = "HuggingFaceTextDataModule"

REFUSED = {
    "a.jsonl": (JSON_LINES, rf"holds JSON.*{ROWS}.*rename it"),
    "a.JSON": (json.dumps([{"text": line} for line in LINES]).encode(), rf"holds JSON.*{ROWS}"),
    "a.csv": ("\n".join(["text", *LINES]).encode(), rf"holds CSV.*{ROWS}.*rename it"),
    "a.tsv": ("\n".join(["id\ttext", *LINES]).encode(), r"holds tab-separated.*\.csv"),
    "a.parquet": (b"PAR1\x15" + bytes(40), rf"holds Parquet.*{ROWS}"),
    "data.arrow": (b"ARROW1\0\0" + bytes(40), rf"holds an Arrow table.*{ROWS}"),
    "a.txt.gz": (gzip.compress(UTF8), r"is compressed with gzip.*gunzip"),
    "gzip named.txt": (gzip.compress(UTF8), r"is compressed with gzip.*gunzip"),
    "a.jsonl.gz": (gzip.compress(JSON_LINES), r"is compressed with gzip.*gunzip"),
    "a.txt.bz2": (bz2.compress(UTF8), r"is compressed with bzip2.*bunzip2"),
    "a.txt.xz": (lzma.compress(UTF8), r"is compressed with xz.*unxz"),
    "a.txt.zst": (b"\x28\xb5\x2f\xfd" + bytes(40), r"is compressed with zstd.*unzstd"),
    "a.txt.lz4": (b"\x04\x22\x4d\x18" + bytes(40), r"is compressed with lz4.*unlz4"),
    "a.zip": (zipped("a.txt", UTF8), r"is a ZIP archive.*unzip"),
    "a.tar": (tar("a.txt", UTF8), r"is a tar archive.*tar -xf"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), r"is a 7z archive"),
    "a.pdf": (b"%PDF-1.7\n" + bytes(range(256)), r"is a PDF.*pdftotext"),
    "a.sqlite": (b"SQLite format 3\0" + bytes(40), r"is an SQLite database"),
    "a.png": (picture(), r"is a picture.*ImageFolderDataModule"),
    "utf16.txt": (TEXT.encode("utf-16"), r"is UTF-16.*iconv -f utf-16 -t utf-8"),
    "utf16be.txt": (b"\xfe\xff" + TEXT.encode("utf-16-be"), r"is UTF-16.*iconv -f utf-16 -t utf-8"),
    "utf32.txt": (TEXT.encode("utf-32"), r"is UTF-32.*iconv -f utf-32 -t utf-8"),
    "no mark.txt": ("plain\nascii\n".encode("utf-16-le") * 20, r"has a zero byte at offset 1, line 1.*utf-16le"),
    "big endian.txt": ("plain\nascii\n".encode("utf-16-be") * 20, r"has a zero byte at offset 0, line 1.*utf-16be"),
    "zero.txt": (UTF8 + b"a\0b\n", r"has a zero byte at offset \d+, line 41.*tr -d"),
    "a.npy": (array(), r"is not UTF-8: byte 0x93 at offset 0, line 1.*binary"),
    "latin.txt": (TEXT.encode("latin1"), r"is not UTF-8: byte 0xef at offset 17, line 1.*iconv -f latin1"),
    "empty.txt": (b"", r"is empty"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("module", [lines_of, blocks_of])
def test_a_file_that_is_no_plain_text_is_named_with_what_to_do(tmp_path, module, name):
    content, says = REFUSED[name]
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ValueError, match=rf"{name} {says}") as raised:
        module(tmp_path / name).num_values  # noqa: B018

    assert "data.init_args.root" in str(raised.value)
    assert ("iconv -f latin1" in str(raised.value)) == (name == "latin.txt")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.tsv", "a.zip"])
def test_the_module_of_rows_names_what_it_does_not_read(tmp_path, name):
    content, says = REFUSED[name]
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ValueError, match=says):
        rows_of(tmp_path / name).num_values  # noqa: B018


@pytest.mark.parametrize(
    ("module", "name", "says"),
    [
        (lines_of, "a.jsonl", rf"no \.txt file.*{ROWS}"),
        (lines_of, "a.txt.gz", r"no \.txt file.*gunzip"),
        (rows_of, "a.jsonl.gz", r"no \.jsonl .*gunzip"),
        (rows_of, "a.txt", r"no \.jsonl .*TextLinesDataModule"),
    ],
)
def test_a_folder_of_other_files_is_answered_with_what_reads_them(tmp_path, module, name, says):
    (tmp_path / name).write_bytes(REFUSED.get(name, (UTF8, ""))[0])

    with pytest.raises(FileNotFoundError, match=says):
        module(tmp_path).texts  # noqa: B018


def test_a_file_of_another_kind_among_those_of_a_folder_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(UTF8)
    (tmp_path / "b.txt").write_bytes(gzip.compress(UTF8))

    with pytest.raises(ValueError, match=r"b\.txt is compressed with gzip"):
        lines_of(tmp_path).texts  # noqa: B018


def test_what_is_passed_over_in_a_folder_is_said(tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes(UTF8)
    (tmp_path / "b.jsonl").write_bytes(JSON_LINES)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(UTF8))
    (tmp_path / ".hidden").touch()

    texts = lines_of(tmp_path).texts

    assert len([text for source in texts.values() for text in source]) == len(LINES)
    assert f"{tmp_path.name}: reads a.txt, passes over b.jsonl, c.txt.gz" in capsys.readouterr().err


def test_a_folder_that_is_read_whole_says_nothing(tmp_path, capsys):
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_bytes(UTF8)

    lines_of(tmp_path).texts  # noqa: B018

    assert capsys.readouterr().err == ""
