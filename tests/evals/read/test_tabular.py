"""Tables of counts as CSV, JSONL and Parquet."""

import gzip

import pytest
from helpers.eval_logs import counts_by_problem, write_lines

from lidjax.errors import InputError
from lidjax.evals import read_evals


def test_csv_groups_by_the_known_columns_and_says_what_it_left_aside(tmp_path):
    path = write_lines(
        tmp_path / "t.csv",
        "model,tokens,problem,level,n,c",
        "a,1e9,p1,3,10,2",
        "a,1e9,p2,5,20,0",
        "a,2e9,p1,3,10,3",
    )
    data = read_evals([path])
    assert counts_by_problem(data) == {
        "a tokens=1e+09": {"p1": (10, 2), "p2": (20, 0)},
        "a tokens=2e+09": {"p1": (10, 3)},
    }
    assert data.groups[0].fields["tokens"] == 1e9
    assert any("level" in note for note in data.notes)


def test_columns_are_mapped_and_group_columns_chosen(tmp_path):
    path = write_lines(tmp_path / "t.csv", "which;tries;good;kind", "p1;10;2;x", "p1;10;3;y")
    data = read_evals([path], columns={"problem": "which", "n": "tries", "c": "good"}, group=["kind"])
    assert counts_by_problem(data) == {"kind=x": {"p1": (10, 2)}, "kind=y": {"p1": (10, 3)}}
    with pytest.raises(InputError, match="--columns problem=NAME"):
        read_evals([path])
    with pytest.raises(InputError, match="'colour' is not known; allowed: which, tries, good, kind"):
        read_evals([path], columns={"problem": "which", "n": "tries", "c": "good"}, group=["colour"])


def test_jsonl_parquet_and_gzip_hold_the_same_table(tmp_path):
    rows = [{"model": "a", "problem": f"p{i}", "n": 100 + i, "c": i} for i in range(5)]
    jsonl = write_lines(tmp_path / "t.jsonl", *rows)
    expected = {"a": {row["problem"]: (row["n"], row["c"]) for row in rows}}
    assert counts_by_problem(read_evals([jsonl])) == expected
    with gzip.open(tmp_path / "t.csv.gz", "wt") as handle:
        handle.write("model,problem,n,c\n" + "".join(f"a,p{i},{100 + i},{i}\n" for i in range(5)))
    assert counts_by_problem(read_evals([tmp_path / "t.csv.gz"])) == expected
    parquet = pytest.importorskip("pyarrow.parquet", reason="extra `evals`")
    import pyarrow as pa

    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    assert counts_by_problem(read_evals([tmp_path / "t.parquet"])) == expected
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a whole Parquet file"):
        read_evals([tmp_path / "cut.parquet"])


def test_parquet_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and more")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"lidjax\[evals\]"):
        read_evals([tmp_path / "t.parquet"])


def test_long_tables_with_one_row_for_each_k_are_counted_once(tmp_path):
    path = write_lines(
        tmp_path / "t.csv",
        "problem,n,c,k,pass@k",
        "p1,10,0,1,0.0",
        "p1,10,0,100,1.0",
        "p2,10,5,1,0.5",
        "p2,10,5,2,0.78",
    )
    data = read_evals([path])
    assert counts_by_problem(data) == {"all": {"p1": (10, 0), "p2": (10, 5)}}
    assert [(value.k, value.value) for value in data.published] == [(1, 0.0), (100, 1.0), (1, 0.5), (2, 0.78)]
