"""Columns put together from chunks, in memory and in files."""

import numpy as np
import pytest

from lit_vae.corpora.tables import gathered, mapped, written


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 1)])
def test_a_column_is_as_wide_as_its_widest_chunk(tmp_path, order):
    some = [np.array([1, 200], np.uint8), np.array([300], np.uint16), np.array([70000, 2, 3], np.uint32)]
    chunks = [{"n": some[i], "m": some[0]} for i in order]

    in_files, in_memory = written(chunks, tmp_path / "table"), gathered(chunks)

    expected = np.concatenate([some[i] for i in order])
    for table in (in_files, mapped(tmp_path / "table"), in_memory):
        assert table["n"].tolist() == expected.tolist()
        assert table["n"].dtype == expected.dtype
        assert table["m"].dtype == np.uint8
    assert sorted(path.name for path in (tmp_path / "table").iterdir()) == ["m.bin", "n.bin", "types.json"]
