"""`lidjax distill`: what it prints, draws and writes."""

import json
import shutil

import pytest

from lidjax.cli import main


def test_the_command_prints_draws_and_writes_counts_that_fit_reads(spec_file, whole, tmp_path, capsys):
    out = shutil.copytree(whole[1], tmp_path / "out")
    assert main(["distill", str(spec_file), "--out", str(out), "--quiet", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    found = json.loads(printed.out)
    assert set(found["targets"]) == {"truth", "teacher", "fresh"}
    assert [row["n"] for row in found["targets"]["truth"]["rows"]] == [2, 4, 8, 16, 32]
    assert found["teachers"][0]["questions"] == 12
    assert {p.name for p in (out / "figures").iterdir()} == {"distill.pdf", "distill.png"}
    from lidjax.evals import read_evals

    groups = read_evals([out / "counts.csv"], group=["training_size", "target"]).groups
    assert len(groups) == 15
    assert main(["distill", str(spec_file), "--out", str(out), "--no-plot", "--lora.rank", "3"]) == 2
    assert "lora.rank: the store has 2, the spec 3" in capsys.readouterr().err


def test_the_command_prints_tables_and_other_teachers_beside_this_one(spec_file, whole, tmp_path, capsys):
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": ["3", "3", "4"]}\n{"a": ["5", null, "6"]}\n')
    out = shutil.copytree(whole[1], tmp_path / "out")
    command = ["distill", str(spec_file), "--out", str(out), "--quiet", "--no-plot"]
    assert main([*command, "--beside", str(other)]) == 0
    printed = capsys.readouterr().out
    for words in ("tiny, truth: attempts against the ground truth; window k = 1 to 16", "Eq. 20", "2 x 3"):
        assert words in printed
    assert main([*command, "--beside", str(tmp_path / "absent.jsonl")]) == 2
    assert "cannot be read as jsonl" in capsys.readouterr().err


def test_rank_0_is_refused_before_anything_runs(tmp_path, capsys):
    """In a file, and on the command line, where the parser of keys prints the message."""
    path, out = tmp_path / "rank.toml", tmp_path / "out"
    path.write_text("[embedded]\n[lora]\nrank = 0\n[grid]\nn = 4\n")
    assert main(["distill", str(path), "--out", str(out)]) == 2
    assert "lora.rank = 0: must be at least 1" in capsys.readouterr().err
    path.write_text("[embedded]\n[grid]\nn = 4\n")
    with pytest.raises(SystemExit, match="2"):
        main(["distill", str(path), "--out", str(out), "--lora.rank", "0"])
    assert "lora.rank = 0: must be at least 1" in capsys.readouterr().err
    assert not out.exists()
