"""Ctrl-C and SIGTERM: one line, the exit code that shells expect, and how to go on only where that is possible."""

import signal
import subprocess
import sys

import pytest

import lidjax
from lidjax.cli import main

SPEC = """
[model]
[grid]
n = [10, 20]
k = [1, 10, 100]
dim = 8
[fit]
window = [1, 100]
"""


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A process that a script starts in the background ignores SIGINT, and so do its children; here it is heard."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")], ids=["int", "term"]
)
@pytest.mark.parametrize("command", ["plan", "run", "distill", "fit"])
def test_a_signal_is_a_line_and_an_exit_code(tmp_path, monkeypatch, capsys, command, number, word):
    def interrupted(*_, **__):
        signal.raise_signal(number)
        pytest.fail("went on")

    words = [command, str(tmp_path / "x.toml")]
    (tmp_path / "x.toml").write_text(SPEC)
    monkeypatch.setattr("sys.argv", ["lidjax", *words, "--no-resume"])
    for target in ("load_spec", "distill.load_distill_spec", "evals.read_evals"):
        monkeypatch.setattr(f"lidjax.{target}", interrupted)
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    assert main(words) == 128 + number
    error = capsys.readouterr().err
    assert error.startswith(f"lidjax: {word}")
    assert "Traceback" not in error
    resumes = command in ("run", "distill")
    assert (f"to resume:\n  lidjax {command} {tmp_path}/x.toml\n" in error) == resumes
    assert ("kept" in error) == resumes
    assert {n: signal.getsignal(n) for n in before} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_a_signal_while_libraries_are_imported_ends_the_process_in_words(number):
    code = (
        "import importlib, signal; module = importlib.import_module('lidjax.cli.main')\n"
        f"module._prepare_jax = lambda: signal.raise_signal({int(number)})\n"
        "module.main(['show', 'x'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 128 + number
    assert ended.stderr in ("lidjax: interrupted\n", "lidjax: terminated\n")


def test_a_platform_that_is_not_there_is_one_message(monkeypatch, capsys):
    def no_backend(*_, **__):
        raise RuntimeError("Unable to initialize backend 'tpu': INTERNAL: Failed to open libtpu.so")

    monkeypatch.setattr(lidjax, "open_results", no_backend)
    monkeypatch.setattr("lidjax.cli.show.is_distillation", lambda _: False)
    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    assert main(["show", "x"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lidjax: JAX_PLATFORMS = 'tpu': JAX cannot start on it")
    assert "Traceback" not in error
