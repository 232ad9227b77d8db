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


def test_show_and_plot_read_the_store(whole, tmp_path, capsys):
    out = str(whole[1])
    assert main(["show", out, "--at", "target=truth", "--csv", str(tmp_path / "students.csv")]) == 0
    printed = capsys.readouterr().out
    assert "tiny, truth: attempts against the ground truth; window k = 1 to 16" in printed
    assert "tiny, teacher" not in printed
    assert len((tmp_path / "students.csv").read_text().splitlines()) == 1 + 5
    assert main(["show", out, "--json", "--window", "1", "8"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["command"], found["window"]) == ("show", [1, 8])
    assert set(found["targets"]) == {"truth", "teacher", "fresh"}
    assert main(["plot", out, "--out", str(tmp_path / "drawn")]) == 0
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"distill.pdf", "distill.png"}
    capsys.readouterr()
    for command, words in (
        (["show", "--at", "target=luck"], "--at target=luck: the store has target = truth, teacher, fresh"),
        (["show", "--at", "beta=2"], "--at beta=2: axis 'beta' is not known; allowed: target"),
        (["show", "--from-n", "3"], "--from-n"),
        (["plot", "--figure", "plane"], "'plane' is not known; allowed: default"),
        (["features", "report"], "the results of `lidjax distill`, not of a sweep"),
    ):
        before = 2 if command[0] == "features" else 1
        assert main([*command[:before], out, *command[before:]]) == 2
        assert words in capsys.readouterr().err


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
