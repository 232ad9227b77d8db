"""Requests that a sweep makes to an object store: counted by the S3 server of moto, on the loopback interface.

    python benchmarks/store_requests.py            # needs s3fs and moto[server]

A sweep of plain arithmetic is cut into one tile a cell, so that nothing but the store takes time. For two numbers of
tiles it counts what a worker asks for until its first tile, with each tile, and at its end; the difference of the two
says what grows with the number of tiles.
"""

import collections
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

BUCKET = "lidjax"


class CountingServer:
    """moto's S3, with every request counted by kind."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.application = DomainDispatcherApplication(create_backend_app)
        self.counts: collections.Counter[str] = collections.Counter()
        self.lock = threading.Lock()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = make_server("127.0.0.1", 0, self, threaded=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
        kind = "LIST" if method == "GET" and "list-type" in query else method
        with self.lock:
            self.counts[kind] += 1
        return self.application(environ, start_response)

    def take(self) -> collections.Counter[str]:
        """What was counted since the last call."""
        with self.lock:
            found, self.counts = self.counts, collections.Counter()
        return found


def spec_of(tiles: int) -> dict[str, Any]:
    """A sweep with this many tiles of a cell each."""
    return {
        "name": "requests",
        "frontier": {"vocabulary": 100},
        "grid": {"samples": 10, "seed": {"range": [0, tiles]}},
        "run": {"tile_seconds": 1e-12},
    }


def counted_run(
    server: CountingServer, out: str, tiles: int, until: int | None = None
) -> list[collections.Counter[str]]:
    """Requests [until the first tile, while tiles are computed, at the end] of one run, or of its first tiles."""
    import lidjax

    phases: list[collections.Counter[str]] = []

    class Enough(Exception):
        pass

    def progress(stage: str, steps: Iterable[Any], *, done: int = 0) -> Iterator[Any]:
        phases.append(server.take())
        for index, step in enumerate(steps):
            if index == until:
                raise Enough
            yield step
        phases.append(server.take())

    server.take()
    try:
        lidjax.run_sweep(spec_of(tiles), out=out, progress=progress)
    except Enough:
        phases.append(server.take())
    phases.append(server.take())
    return phases


def main() -> None:
    """Print the table."""
    import s3fs

    import lidjax

    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    server = CountingServer()
    os.environ["AWS_ENDPOINT_URL"] = server.url
    s3fs.S3FileSystem(endpoint_url=server.url).mkdir(BUCKET)
    rows: list[tuple[str, int, collections.Counter[str], float]] = []
    for tiles in (40, 160):
        out = f"s3://{BUCKET}/{tiles}"
        new = counted_run(server, out, tiles, until=tiles // 2)
        rows += [
            ("a new store, until the first tile", tiles, new[0], 1),
            ("a tile", tiles, new[1], tiles // 2),
        ]
        again = counted_run(server, out, tiles)
        rows += [
            ("a store half done, until the first tile", tiles, again[0], 1),
            ("after the last tile, results read", tiles, again[2], 1),
        ]
        server.take()
        lidjax.run_status(out)
        rows.append(("status", tiles, server.take(), 1))
    print(f"{'':42}{'tiles':>7}" + "".join(f"{kind:>8}" for kind in ("LIST", "GET", "HEAD", "PUT", "DELETE")))
    for name, tiles, counts, share in sorted(rows, key=lambda row: row[0]):
        cells = "".join(f"{counts[kind] / share:8.1f}" for kind in ("LIST", "GET", "HEAD", "PUT", "DELETE"))
        print(f"{name:42}{tiles:7}{cells}")


if __name__ == "__main__":
    main()
