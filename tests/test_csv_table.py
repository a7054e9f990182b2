"""A CSV file that grows."""

import csv

import pytest

from lit_vae.csv_table import CSVTable


def content(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "table.csv"


def test_there_is_no_file_before_the_first_row(path):
    CSVTable(path)

    assert not path.parent.exists()


def test_rows_and_columns_are_added(path):
    table = CSVTable(path)

    for row in ({"step": 1, "loss": 0.1}, {"step": 2, "loss": 0.2}, {"step": 3, "rate": 1e-30, "text": 'a, "b"\nc'}):
        table.add(row)

    assert content(path) == [
        {"step": "1", "loss": "0.1", "rate": "", "text": ""},
        {"step": "2", "loss": "0.2", "rate": "", "text": ""},
        {"step": "3", "loss": "", "rate": "1e-30", "text": 'a, "b"\nc'},
    ]


@pytest.mark.parametrize("columns", ["known", "new"])
def test_values_of_one_key_share_a_row(path, columns):
    table = CSVTable(path, key="step")
    if columns == "known":
        table.add({"step": 1, "train": 3, "val": 4, "speed": 5})

    for row in ({"step": 2, "train": 10}, {"step": 2, "val": 123456}, {"step": 2, "speed": 7}, {"step": 4, "train": 1}):
        table.add(row)

    assert [row for row in content(path) if row["step"] != "1"] == [
        {"step": "2", "train": "10", "val": "123456", "speed": "7"},
        {"step": "4", "train": "1", "val": "", "speed": ""},
    ]


def test_a_file_goes_on_with_the_rows_that_are_kept(path):
    first = CSVTable(path, key="step")
    for step in range(1, 6):
        first.add({"step": step, "train": step})

    second = CSVTable(path, key="step", keep=lambda row: int(row["step"]) <= 3)
    second.add({"step": 3, "val": 30})
    second.add({"step": 4, "train": 40})

    assert [tuple(row.values()) for row in content(path)] == [
        ("1", "1", ""),
        ("2", "2", ""),
        ("3", "3", "30"),
        ("4", "40", ""),
    ]


def test_a_file_of_which_no_row_is_kept_has_its_columns(path):
    CSVTable(path).add({"step": 9, "old": 1})

    CSVTable(path, keep=lambda row: False).add({"step": 1, "new": 2})

    assert content(path) == [{"step": "1", "old": "", "new": "2"}]


def test_half_a_row_is_dropped(path):
    CSVTable(path).add({"step": 9, "loss": 1})
    path.write_text(path.read_text() + "1")

    CSVTable(path).add({"step": 10, "loss": 2})

    assert [row["step"] for row in content(path)] == ["9", "10"]


def test_without_a_key_each_row_stands_alone(path):
    table = CSVTable(path)

    for _ in range(2):
        table.add({"step": 1})

    assert len(content(path)) == 2


def test_what_shares_a_row_is_never_gone_in_between(path, monkeypatch):
    """Whatever a process that is killed has written by then, the row holds what it held before."""
    table = CSVTable(path, key="step")
    table.add({"step": 1, "train": 3, "val": 4, "other": 5})
    table.add({"step": 2, "train": 10, "val": 0.123456})
    monkeypatch.setattr(CSVTable, "_line", lambda self, row: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        table.add({"step": 2, "other": 7})
    monkeypatch.undo()

    assert CSVTable(path).rows()[-1] == {"step": "2", "train": "10", "val": "0.123456", "other": ""}
    table.add({"step": 2, "val": 1})
    assert CSVTable(path).rows()[-1] == {"step": "2", "train": "10", "val": "1", "other": ""}
