"""Progress of a sweep, once a tile, on stderr: a bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lidjax.sweep.plan import Plan

LOG_SECONDS = 10.0  # between two lines where there is no terminal


class RateColumn(ProgressColumn):
    """Cells a second, from the tiles done so far."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate * task.fields['cells_per_tile']:,.3g} cells/s")


def tracker(console: Console):
    """A `track` for `run_sweep`: rate and time left on `console`."""

    def track(tiles: Any, plan: Plan, done: int) -> Iterator[Any]:
        if done:
            console.print(f"{done:,} of {plan.num_cells:,} cells are in the store already", highlight=False)
        cells = (plan.num_cells - done) / max(len(tiles), 1)
        return (_bar if console.is_terminal or console.is_jupyter else _lines)(tiles, cells, console)

    return track


def _bar(tiles: Any, cells: float, console: Console) -> Iterator[Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("tiles", total=len(tiles), cells_per_tile=cells)
        for tile in tiles:
            yield tile
            progress.advance(task)


def _lines(tiles: Any, cells: float, console: Console) -> Iterator[Any]:
    start = last = time.monotonic()
    for index, tile in enumerate(tiles, start=1):
        yield tile
        now = time.monotonic()
        if now - last >= LOG_SECONDS:
            last = now
            left = (now - start) / index * (len(tiles) - index)
            rate = index * cells / (now - start)
            console.print(
                f"{index:,}/{len(tiles):,} tiles, {rate:,.3g} cells/s, {left:,.0f} s left", highlight=False
            )
