"""Tables of a kind: what is written is read, whatever its path, and no other kind is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.training.line_tables import PARSED, SEQUENCES, ParsedRow, SequenceRow
from logexport.training.tables import Column, Table, open_table, table_writer

VALUES = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "string": st.text(st.characters(exclude_categories=["Cs"])),
    "binary": st.binary(),
    "double": st.floats(allow_nan=False),
    "timestamp[us]": st.datetimes(),
}
KIND = Table("numbers", (Column("a", "int32"), Column("b", "double", nullable=True)))


@st.composite
def tables(draw: st.DrawFn) -> tuple[Table, list[tuple[Any, ...]]]:
    """A kind of table, and rows of it."""
    types = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5))
    nullable = [draw(st.booleans()) for _ in types]
    columns = tuple(map(Column, map("c{}".format, range(len(types))), types, nullable))
    values = [
        VALUES[kind] | st.none() if null else VALUES[kind]
        for kind, null in zip(types, nullable, strict=True)
    ]
    texts = tuple(column.name for column in columns if column.type in ("string", "binary"))
    table = Table("some", columns, texts, group_rows=draw(st.integers(1, 4)))
    return table, draw(st.lists(st.tuples(*values), max_size=9))


@given(made=tables())
@settings(max_examples=60, deadline=None)
def test_any_table_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Table, list[tuple[Any, ...]]]
) -> None:
    table, rows = made
    odd = os.fsencode(tmp_path_factory.mktemp("t")) + b"/\xff\xe9.parquet"
    path = Path(os.fsdecode(odd))
    with table_writer(path, table, {"note": "é"}) as write:
        for row in rows:
            write(row)
    assert [entry.path for entry in os.scandir(os.path.dirname(odd))] == [odd]  # noqa: PTH120
    names = [column.name for column in table.columns]
    with open_table(path, "some", "things", "") as found:
        assert (found.rows, found.names) == (len(rows), names)
        assert found.about is not None
        assert (found.about["kind"], found.about["note"]) == ("some", "é")
        batches = [list(batch) for batch in found.batches([*names, "absent"])]
    assert [row for batch in batches for row in batch] == [(*row, None) for row in rows]
    with path.open("rb") as file:
        meta = pq.ParquetFile(file).metadata
    groups = [meta.row_group(number).num_rows for number in range(meta.num_row_groups)]
    assert all(0 < size <= table.group_rows for size in groups)


def test_long_texts_end_a_row_group_early(tmp_path: Path) -> None:
    table = Table("texts", (Column("a", "binary"), Column("b", "string")), texts=("a", "b"))
    with table_writer(tmp_path / "t.parquet", table, {}) as write:
        for _ in range(5):
            write((bytes(5 << 20), "x" * (4 << 20)))
    meta = pq.ParquetFile(tmp_path / "t.parquet").metadata
    assert [meta.row_group(number).num_rows for number in range(meta.num_row_groups)] == [2, 2, 1]


def test_the_hosts_own_tables_have_a_column_for_each_field_of_a_row() -> None:
    for table, row in ((PARSED, ParsedRow), (SEQUENCES, SequenceRow)):
        assert tuple(column.name for column in table.columns) == row._fields
        assert set(table.texts) <= set(row._fields)
    assert (PARSED.file, SEQUENCES.file) == ("parsed.parquet", "sequences.parquet")


def test_a_failure_leaves_the_table_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "numbers.parquet"
    with table_writer(path, KIND, {}) as write:
        write((1, None))
    before = path.read_bytes()
    with pytest.raises(pa.ArrowInvalid), table_writer(path, KIND, {}) as write:
        write(("no number", 1.0))
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [before]


def test_columns_of_numbers_become_one_array(tmp_path: Path) -> None:
    path = tmp_path / "numbers.parquet"
    with table_writer(path, KIND, {}) as write:
        for number in range(5):
            write((number, number / 2))
    with open_table(path, "numbers", "numbers", "") as table:
        both = table.numbers(["b", "a"], "float32")
        assert both.dtype == np.float32
        assert both.tolist() == [[number / 2, number] for number in range(5)]
        assert table.type_of("a") == pa.int32()


@pytest.mark.parametrize("column", [["x"], [1, None], [b"x"]])
def test_a_column_with_gaps_or_of_something_else_is_no_column_of_numbers(
    tmp_path: Path, column: list[Any]
) -> None:
    pq.write_table(pa.table({"a": column}), tmp_path / "t.parquet")
    with (
        open_table(tmp_path / "t.parquet", "numbers", "numbers", "") as table,
        pytest.raises(InputError, match=r"Column a of .* or has gaps"),
    ):
        table.numbers(["a"], "float64")


def test_a_gap_where_there_must_be_none_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, None], "b": [None, 2]}), tmp_path / "t.parquet")
    with open_table(tmp_path / "t.parquet", "numbers", "numbers", "") as table:
        assert [row for batch in table.batches(["a", "b"]) for row in batch] == [
            (1, None),
            (None, 2),
        ]
        with pytest.raises(InputError, match="rows without a b"):
            list(table.batches(["a", "b"], needed=["b"]))


def opened(path: Path) -> None:
    with open_table(path, "numbers", "numbers of a test", "Do that."):
        pass


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (json.dumps({"kind": "parsed"}), "holds parsed, not numbers of a test"),
        (json.dumps({}), "holds None, not numbers of a test"),
        (json.dumps(["numbers"]), "not numbers of a test"),
        ("{", "metadata of .* is damaged"),
        ("[" * 200_000 + "]" * 200_000, "metadata of .* is damaged"),
    ],
)
def test_another_kind_of_table_is_refused_with_the_remedy(
    tmp_path: Path, metadata: str, said: str
) -> None:
    table = pa.table({"a": [1]}).replace_schema_metadata({"logexport": metadata})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match=said) as caught:
        opened(tmp_path / "t.parquet")
    assert caught.value.remedy == "Do that."


@pytest.mark.parametrize("content", [b"", b"no table", b"PAR1" + bytes(100) + b"PAR1"])
def test_what_is_not_parquet_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    for place in (path, tmp_path / "missing.parquet", tmp_path):
        with pytest.raises(InputError, match="cannot be read as numbers of a test") as caught:
            opened(place)
        assert str(place) in str(caught.value)
        assert "\n" not in str(caught.value)
