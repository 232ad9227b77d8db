"""Do two checkouts of lidjax give the same numbers, bit for bit?

    python benchmarks/same_numbers.py record CHECKOUT FOLDER     # once for each checkout
    python benchmarks/same_numbers.py compare FOLDER FOLDER      # exit 0 if nothing but names changed

`record` runs the shipped sweeps and the commands that print JSON with `CHECKOUT/.venv/bin/lidjax`; `compare` reads both
folders. `RENAMED` lists what has another name since 0.1.0: everything else must be the same, name and bits.
"""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import zarr

SWEEPS = ("quickstart", "figure1", "frontier", "protocols", "plane_gamma", "plane_power")
RENAMED = {"frontier": {"lgen": "missed_mass"}}
"""Old to new names of variables, by sweep."""
NOT_NUMBERS = {"seconds", "out", "figures", "store"}
"""JSON keys that tell of the run, not of its results."""


def write_counts(path: Path) -> None:
    """Made-up counts of two groups: 60 problems, 200 attempts, success rates of a heavy tail."""
    rng = np.random.default_rng(5)
    lines = ["model,problem,n,c"]
    for model, tail in (("small", 0.3), ("large", 0.7)):
        right = rng.binomial(200, rng.beta(tail, 2.0, size=60))
        lines += [f"{model},p{i},200,{c}" for i, c in enumerate(right)]
    path.write_text("\n".join(lines) + "\n")


def record(checkout: Path, folder: Path) -> None:
    """Run everything; one JSON file a command that prints JSON, one store a sweep."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = folder / "counts.csv"
    write_counts(counts)
    lidjax = str(checkout.resolve() / ".venv" / "bin" / "lidjax")

    def run(name: str, *words: str) -> None:
        print(name, flush=True)
        done = subprocess.run([lidjax, *words, "--json"], capture_output=True, text=True, cwd=folder)
        if done.returncode:
            raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stderr}")
        (folder / f"{name}.json").write_text(done.stdout)

    sweeps = checkout.resolve() / "sweeps"
    for name in SWEEPS:
        run(f"run-{name}", "run", str(sweeps / f"{name}.toml"), "--out", f"stores/{name}", "--no-plot")
    for name in ("quickstart", "figure1", "frontier"):
        run(f"show-{name}", "show", f"stores/{name}")
    prices = ("--cost-train", "1", "--cost-infer", "0.1", "--weight", "1", "100", "--no-plot")
    run("allocate", "allocate", "stores/figure1", "--budget", "1e3", "1e4", "1e5", *prices, "--exact")
    run("fit", "fit", "counts.csv")
    run("fit-pooled", "fit", "counts.csv", "--pool", "--no-models")
    run("backtest", "backtest", "counts.csv", "--budget", "20", "--target", "200", "--seeds", "2")


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Where two pieces of JSON differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted(old.keys() | new.keys()):
            if key in NOT_NUMBERS:
                continue
            if key not in old or key not in new:
                found.append(f"{where}.{key}: only in the {'old' if key in old else 'new'}")
            else:
                found += differences(old[key], new[key], f"{where}.{key}")
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for i, pair in enumerate(zip(old, new, strict=True))
            for line in differences(*pair, f"{where}[{i}]")
        ]
    return [] if old == new else [f"{where}: {old!r} became {new!r}"]


def array_differences(old: Path, new: Path, renamed: dict[str, str]) -> tuple[int, list[str]]:
    """Number of values compared, and where two stores differ in a bit."""
    before, after = zarr.open_group(old, mode="r"), zarr.open_group(new, mode="r")
    names = {renamed.get(name, name): name for name in before.array_keys()}
    found = [f"{name}: only in one" for name in names.keys() ^ set(after.array_keys())]
    count = 0
    for name in names.keys() & set(after.array_keys()):
        one, two = np.asarray(before[names[name]][...]), np.asarray(after[name][...])
        count += one.size
        if one.dtype != two.dtype or one.shape != two.shape or one.tobytes() != two.tobytes():
            found.append(f"{name}: other bits")
    return count, found


def compare(old: Path, new: Path) -> int:
    """Print a line a file; returns the exit code."""
    worst = 0
    for path in sorted(old.glob("*.json")):
        found = differences(json.loads(path.read_text()), json.loads((new / path.name).read_text()))
        print(f"{path.name:24} {'same' if not found else f'{len(found)} differences'}")
        for line in found[:20]:
            print(f"    {line}")
        worst |= bool(found)
    for name in SWEEPS:
        stores = [folder / "stores" / name / "results.zarr" for folder in (old, new)]
        count, found = array_differences(*stores, RENAMED.get(name, {}))
        print(f"{name:24} {'same' if not found else 'differs'}, {count:,} values")
        for line in found:
            print(f"    {line}")
        worst |= bool(found)
    return int(worst)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("paths", type=Path, nargs=2, metavar="PATH")
    arguments = parser.parse_args()
    if arguments.action == "compare":
        raise SystemExit(compare(*arguments.paths))
    record(*arguments.paths)
