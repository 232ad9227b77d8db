"""Progress on the terminal, once a tile, on stderr."""

from collections.abc import Iterable, Iterator
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


class RateColumn(ProgressColumn):
    """Cells a second, from the tiles done so far."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate * task.fields['cells_per_tile']:,.3g} cells/s")


def tracker(console: Console):
    """A `track` for `run_sweep` that draws a bar with rate and time left; lines of text off a terminal."""

    def track(waiting: Iterable[Any], plan: Plan, done: int) -> Iterator[Any]:
        tiles = list(waiting)
        if done:
            console.print(f"{done:,} of {plan.num_cells:,} cells are in the store already")
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as progress:
            cells = (plan.num_cells - done) / max(len(tiles), 1)
            task = progress.add_task("tiles", total=len(tiles), cells_per_tile=cells)
            for tile in tiles:
                yield tile
                progress.advance(task)

    return track
