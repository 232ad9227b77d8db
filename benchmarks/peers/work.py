"""The work that every peer does, how a peer is timed, and how its results are handed back. NumPy alone.

Work: for every (β, N, seed) draw a training set of the LID model, fit ridge regression, measure L_gen, and estimate
L_inf(k) on fresh test instances for every k. A peer is a module with `run(work) -> (lgen, failure)`; lgen has the
shape (β, N, seed) and failure (β, N, seed, k).
"""

import argparse
import importlib
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Work:
    dim: int
    sizes: tuple[int, ...]
    betas: tuple[float, ...]
    seeds: int
    num_k: int
    k_max: float
    instances: int
    alpha: float = 1.0
    ridge: float = 1e-9
    sigma_eta: float = 0.1
    delta: float = 0.05

    @property
    def k(self) -> np.ndarray:
        return np.geomspace(1, self.k_max, self.num_k)

    @property
    def eigenvalues(self) -> np.ndarray:
        return np.arange(1, self.dim + 1) ** -(1 + self.alpha)

    @property
    def theta(self) -> np.ndarray:
        return np.ones(self.dim) / np.sqrt(self.dim)

    @property
    def num_points(self) -> int:
        return len(self.betas) * len(self.sizes) * self.seeds * self.num_k

    def replace(self, **changes) -> "Work":
        return Work(**{**asdict(self), **changes})


BETAS = (1.5, 2.5, 3.5, 5.0, 8.0)
FULL = Work(512, tuple(2**p for p in range(6, 17)), BETAS, 16, 64, 1e6, 20_000)
SMALL = Work(64, (16, 32, 128, 512, 2048), BETAS, 4, 16, 1e4, 2_000)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """python -m peers.work PEER WORK.json OUT.npz: times `run` twice, writes results and measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    start = time.perf_counter()
    peer = importlib.import_module(f"peers.{options.peer}")
    imported = time.perf_counter() - start
    before = peak_mib()
    raw = json.loads(options.work.read_text())
    work = Work(**{key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()})
    seconds = []
    for _ in range(options.runs):
        start = time.perf_counter()
        lgen, failure = peer.run(work)
        seconds.append(time.perf_counter() - start)
        print(f"{options.peer}: {seconds[-1]:.2f} s", file=sys.stderr)
    np.savez(
        options.out,
        lgen=lgen,
        failure=failure,
        seconds=np.array(seconds),
        import_seconds=imported,
        memory_mib=peak_mib() - before,
        versions=json.dumps(peer.versions()),
    )


if __name__ == "__main__":
    main()
