"""What `lidjax next` prints: a table of problems and their next attempts."""

from collections.abc import Sequence
from typing import Any

from lidjax.cli.render.output import Table, print_json, print_lines, print_table
from lidjax.evals import Group, NextAttempts

MOST_ROWS = 40  # of a table for people; files and JSON have all problems


def print_placements(
    notes: Sequence[str], found: Sequence[tuple[Group, NextAttempts]], *, as_json: bool
) -> list[Table]:
    """Print the next attempts of each group; returns the table of all groups for files."""
    records = {group.name: placement_records(group, placed) for group, placed in found}
    if as_json:
        groups = [
            {
                "group": group.name,
                "k": placed.k,
                "attempts": placed.total,
                "sd": placed.sd,
                "sd_placed": placed.sd_placed,
                "sd_uniform": placed.sd_uniform,
                "problems": records[group.name],
            }
            for group, placed in found
        ]
        print_json("next", {"notes": list(notes), "groups": groups})
    else:
        print_lines(notes)
        for group, placed in found:
            print_table(placement_table(group, placed, records[group.name]))
    rows = [{"group": name} | record for name, own in records.items() for record in own]
    cells = [(str(row["group"]), *placement_cells(row)) for row in rows]
    return [
        Table(
            "next",
            ("group", "problem", "n", "c", "next attempts"),
            cells,
            rows,
            "next attempts",
            left=("group", "problem"),
        )
    ]


def placement_records(group: Group, placed: NextAttempts) -> list[dict[str, Any]]:
    """A row for each problem, most attempts first."""
    return [
        {
            "problem": group.problems[i],
            "n": int(group.n[i]),
            "c": int(group.c[i]),
            "next_attempts": int(placed.attempts[i]),
            "variance_gain": float(placed.gain[i]),
        }
        for i in placed.order.tolist()
    ]


def placement_cells(record: dict[str, Any]) -> tuple[str, ...]:
    """The cells of one problem."""
    return (
        str(record["problem"]),
        f"{record['n']:,}",
        f"{record['c']:,}",
        f"{record['next_attempts']:,}",
    )


def placement_table(group: Group, placed: NextAttempts, records: Sequence[dict[str, Any]]) -> Table:
    """Problems that get attempts, and what the attempts are worth."""
    chosen = [record for record in records if record["next_attempts"]]
    notes = [
        f"  the standard deviation of pass@{placed.k:,} of these problems is expected to go from {placed.sd:.4f} to "
        f"{placed.sd_placed:.4f}; with as many attempts spread evenly, to {placed.sd_uniform:.4f}"
    ]
    if len(chosen) > MOST_ROWS:
        notes.insert(
            0, f"  and {len(chosen) - MOST_ROWS} problems with fewer; --csv or --json have all of them"
        )
    return Table(
        "next",
        ("problem", "n", "c", "next attempts"),
        [placement_cells(record) for record in chosen[:MOST_ROWS]],
        records,
        f"{group.name}: {placed.total:,} next attempts, for {len(chosen)} of {len(group.problems)} problems",
        notes,
        left=("problem",),
    )
