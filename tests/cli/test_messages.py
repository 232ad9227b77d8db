"""Messages are for people: sizes in a fitting unit, no names of exceptions, no empty reasons."""

import pytest
from helpers.numpy_source import spec_of

from lidjax import InputError, open_results, run_sweep
from lidjax.cli import main
from lidjax.runs.location import LocalFolder, open_location
from lidjax.sweep.plan import size_in_words

SPEC = """
[model]
[grid]
n = [10, 20]
k = [1, 10, 100]
dim = 8
[fit]
window = [1, 100]
"""


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (492, "492 bytes"),
        (4.58e-7 * 2**30, "492 bytes"),
        (2000, "1.95 KiB"),
        (3.5 * 2**20, "3.5 MiB"),
        (999.6 * 2**20, "999.6 MiB"),
        (1000, "1000 bytes"),
        (1023.9 * 2**10, "1 MiB"),
        (2**30, "1 GiB"),
        (5e15, "4.55e+03 TiB"),
    ],
)
def test_sizes_have_a_unit_that_suits_them(size, words):
    assert size_in_words(size) == words


def test_a_store_that_does_not_fit_on_the_disk_is_said_in_its_unit(sources, tmp_path, monkeypatch):
    monkeypatch.setattr(LocalFolder, "free_bytes", lambda _: 100)
    with pytest.raises(InputError, match=r"takes up to \d+ bytes and .* has 100 bytes free"):
        run_sweep(spec_of(), out=tmp_path / "out")


@pytest.mark.parametrize("command", ["run", "plan", "show", "plot"])
def test_an_empty_folder_name_is_refused(sources, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").write_text(SPEC)
    words = ["x.toml", "--out", ""] if command in ("run", "plan") else [""]
    assert main([command, *words]) == 2
    assert "is empty: name one" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x.toml"]


@pytest.mark.parametrize(("content", "words"), [("{", "is damaged"), (None, "is missing")])
def test_a_folder_that_is_no_store_says_what_is_wrong_with_it(tmp_path, content, words):
    (tmp_path / "results.zarr").mkdir()
    if content:
        (tmp_path / "results.zarr" / "zarr.json").write_text(content)
    with pytest.raises(InputError, match=words) as error:
        open_results(tmp_path)
    assert "Error" not in str(error.value)


def test_an_error_without_a_message_has_at_least_its_name(monkeypatch):
    place = open_location("memory://silent/run")

    def silent(*_, **__):
        raise PermissionError(None)

    monkeypatch.setattr(place.fs, "pipe_file", silent)
    with pytest.raises(InputError, match="cannot be written: PermissionError"):
        place.prepare()
