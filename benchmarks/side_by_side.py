"""The same grid through NumPy, scikit-learn, PyTorch, straightforward JAX and lidjax: time, memory and error.

    python benchmarks/side_by_side.py --small               a minute, for CI
    python benchmarks/side_by_side.py                       the work of Figure 1; half an hour on two cores
    python benchmarks/side_by_side.py --peer-seeds 2        the same, peers on 2 of 16 seeds and their time times 8
    python benchmarks/side_by_side.py --peer-python PATH    an interpreter that has scikit-learn and PyTorch

Each peer runs in a process of its own, alone on the machine; those that compile run twice, and the first run tells
what compilation costs. Peers whose packages are missing are named and left out. Errors are against exact values:

    L_gen   the mean over seeds of log L_gen of every (β, N) against the same mean over 400 other training sets drawn
            from the exact law, in standard errors; the root mean square over (β, N) is 1 for a right law
    L_inf   median |log(L_inf / exact)| at k near 100 and 10,000, given the peer's own L_gen; "lost" is the
            share of values that came out as 0
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from peers.work import FULL, SMALL, Work  # noqa: E402

PEERS = {
    "numpy_scipy": "NumPy/SciPy",
    "scikit_learn": "scikit-learn",
    "pytorch": "PyTorch",
    "plain_jax": "plain JAX",
    "lidjax_sweep": "lidjax",
    "lidjax_float32": "lidjax, float32",
}
ELSEWHERE = ("scikit_learn", "pytorch")  # may live in another environment
COMPILED = ("plain_jax", "lidjax_sweep", "lidjax_float32")
REFERENCE_SETS = 400


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="a small grid")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument(
        "--peer-python", default=sys.executable, help="interpreter for scikit-learn and PyTorch"
    )
    parser.add_argument(
        "--peer-seeds", type=int, help="seeds that the peers run; their time is scaled up to all"
    )
    parser.add_argument("--out", type=Path, help="write the measurements as JSON")
    options = parser.parse_args()
    work = SMALL if options.small else FULL
    print(f"{work.num_points:,} values of L_inf: d = {work.dim}, N = {work.sizes}, β = {work.betas}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for peer in options.peers:
            python = options.peer_python if peer in ELSEWHERE else sys.executable
            ours = peer.startswith("lidjax")
            share = work if ours or not options.peer_seeds else work.replace(seeds=options.peer_seeds)
            rows.append(measure(peer, share, python, Path(folder)) | {"peer": PEERS[peer]})
            if "seconds" in rows[-1]:
                rows[-1]["seeds_run"] = share.seeds
                rows[-1]["seconds"] *= work.seeds / share.seeds
        rows = [row for row in rows if "seconds" in row]
        reference = reference_logs(work)
        for row in rows:
            row |= errors(work, reference, row.pop("lgen"), row.pop("failure"))
    print(table(rows, work))
    machine = {"python": platform.python_version(), "cores": os.cpu_count()} | matmul_rates()
    print(machine)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        record = {"work": asdict(work), "machine": machine, "rows": rows}
        options.out.write_text(json.dumps(record, indent=1) + "\n")
    return 0


def measure(peer: str, work: Work, python: str, folder: Path) -> dict:
    """Time one peer in its own process; {} where it cannot run here."""
    (folder / "work.json").write_text(json.dumps(asdict(work)))
    out = folder / f"{peer}.npz"
    runs = "2" if peer in COMPILED else "1"
    run = [python, "-m", "peers.work", peer, str(folder / "work.json"), str(out), "--runs", runs]
    done = subprocess.run(run, cwd=HERE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print(f"{PEERS[peer]}: left out ({done.stderr.strip().splitlines()[-1]})")
        return {}
    with np.load(out) as data:
        first, again = data["seconds"].tolist()[0], data["seconds"].tolist()[-1]
        return {
            "seconds": again,
            "compile_seconds": max(first - again, 0.0),
            "memory_mib": float(data["memory_mib"]),
            "versions": json.loads(str(data["versions"])),
            "lgen": data["lgen"],
            "failure": data["failure"],
        }


def reference_logs(work: Work) -> np.ndarray:
    """log L_gen of other training sets, (β, N, set)."""
    from peers import lidjax_sweep

    wide = work.replace(seeds=work.seeds + REFERENCE_SETS, num_k=2)
    return np.log(lidjax_sweep.run(wide)[0][:, :, work.seeds :])


def errors(work: Work, reference: np.ndarray, lgen: np.ndarray, failure: np.ndarray) -> dict:
    """Distance of L_gen from its law, and of L_inf from its value at this L_gen."""
    import jax

    from lidjax import pass_at_k_failure

    spread = reference.std(axis=2, ddof=1) * np.sqrt(1 / lgen.shape[2] + 1 / reference.shape[2])
    z = (np.log(lgen).mean(axis=2) - reference.mean(axis=2)) / spread
    result = {"lgen_z": float(np.sqrt(np.mean(z**2)))}
    beta = np.broadcast_to(np.array(work.betas)[:, None, None], lgen.shape)
    chosen = np.random.default_rng(0).permutation(lgen.size)[:200]
    for name, k in (("100", 100), ("10000", 10_000)):
        at = int(np.argmin(np.abs(np.log(work.k / k))))
        with jax.enable_x64(True):
            exact = pass_at_k_failure(
                work.k[at],
                lgen.ravel()[chosen],
                beta=beta.ravel()[chosen],
                delta=work.delta,
                sigma_eta=work.sigma_eta,
            )
        value = failure[..., at].ravel()[chosen]
        with np.errstate(divide="ignore"):
            gap = np.abs(np.log(value) - np.log(np.asarray(exact)))
        result |= {f"failure_error_{name}": float(np.median(gap)), f"lost_{name}": float(np.mean(value == 0))}
    return result


def table(rows: list[dict], work: Work) -> str:
    fastest = next((row["seconds"] for row in rows if row["peer"] == "lidjax"), rows[-1]["seconds"])
    lines = [
        "| | seconds | lidjax is faster by | compilation, s | points/s | memory, MiB | L_gen, z "
        "| L_inf error, k = 100 | k = 10⁴ (lost) |",
        "| --- " * 9 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row['peer']} | {row['seconds']:.3g} | {row['seconds'] / fastest:.3g} | "
            f"{row['compile_seconds']:.1f} | {work.num_points / row['seconds']:.3g} | "
            f"{row['memory_mib']:.0f} | {row['lgen_z']:.2f} | {row['failure_error_100']:.1g} | "
            f"{row['failure_error_10000']:.1g} ({row['lost_10000']:.0%}) |"
        )
    return "\n".join(lines)


def matmul_rates() -> dict:
    """Matrix products of 1024: what this machine reaches in JAX."""
    import jax
    import jax.numpy as jnp

    rates = {"device": jax.devices()[0].device_kind}
    for dtype in ("float64", "float32"):
        with jax.enable_x64(True):
            a = jnp.ones((1024, 1024), dtype)
            product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
            product(a).block_until_ready()
            times = []
            for _ in range(9):
                start = time.perf_counter()
                product(a).block_until_ready()
                times.append(time.perf_counter() - start)
        rates[f"matmul_gflops_{dtype}"] = round(2 * 1024**3 / min(times) / 1e9, 1)
    return rates


if __name__ == "__main__":
    sys.exit(main())
