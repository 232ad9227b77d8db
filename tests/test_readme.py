"""The front door: the README's example asserts its own result, and its commands are the ones that are tested."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(marker, language):
    (found,) = re.findall(rf"<!-- {marker} -->\n```{language}\n(.*?)```", README, flags=re.DOTALL)
    return found


def test_the_example_runs_and_its_assertions_hold():
    subprocess.run([sys.executable, "-c", block("example", "python")], check=True, timeout=200)


def test_there_is_one_line_for_the_figure_and_one_for_the_tests():
    for marker, ending in (("figure", "lidjax run sweeps/figure1.toml"), ("tests", "python -m pytest -n 2")):
        (line,) = block(marker, "sh").splitlines()
        assert line.endswith(ending)


def test_every_file_the_readme_names_is_there():
    for path in re.findall(r"(?:sweeps|lidjax|\.readme)/[\w/]+\.\w+", README):
        assert (ROOT / path).exists(), path


def test_a_session_without_float64_gets_float64_results():
    code = """
import lidjax, numpy as np
from lidjax.sweep import SyntheticGrid, SyntheticSpec
grid = SyntheticGrid(n=(20, 40), k=(1.0, 10.0, 100.0), dim=(8,), ridge=(0.0,))
data = lidjax.run_sweep(SyntheticSpec(grid=grid))
assert data.lgen.dtype == data.failure.dtype == np.float64
import jax
assert not jax.config.jax_enable_x64
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200)
