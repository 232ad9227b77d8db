"""Rows of Parquet files, through pyarrow."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lidjax.errors import InputError
from lidjax.evals.read.text import open_seekable

BATCH = 4096  # rows held at once


def parquet_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where, row) for each row of a Parquet file, a batch at a time."""
    try:
        import pyarrow.lib  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet as parquet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(f"{path}: reading Parquet needs pyarrow; pip install 'lidjax[evals]'") from error
    try:
        with open_seekable(path) as handle:
            number = 0
            for batch in parquet.ParquetFile(handle).iter_batches(BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except pyarrow.lib.ArrowException as error:
        raise InputError(f"{path}: not a whole Parquet file ({error})") from error
