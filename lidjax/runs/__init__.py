"""What every long job needs: where results lie, locks, a checked store, progress, interruption, provenance."""

from lidjax.progress import Progress as Progress
from lidjax.progress import no_progress as no_progress
from lidjax.runs.interrupt import Stopped as Stopped
from lidjax.runs.interrupt import StopRequest as StopRequest
from lidjax.runs.interrupt import stop_on_signals as stop_on_signals
from lidjax.runs.location import Location as Location
from lidjax.runs.location import open_location as open_location
from lidjax.runs.lock import Shard as Shard
from lidjax.runs.progress import ConsoleProgress as ConsoleProgress
from lidjax.runs.progress import show_progress as show_progress
from lidjax.runs.schema import CellValues as CellValues
from lidjax.runs.schema import Schema as Schema
from lidjax.runs.schema import Variable as Variable
from lidjax.runs.shards import array_shard as array_shard
from lidjax.runs.shards import join_processes as join_processes
from lidjax.runs.shards import missing_cells as missing_cells
from lidjax.runs.shards import parse_shard as parse_shard
from lidjax.runs.shards import wait_for_others as wait_for_others
from lidjax.runs.store import stored_kind as stored_kind
from lidjax.runs.watch import RunStatus as RunStatus
from lidjax.runs.watch import Worker as Worker
from lidjax.runs.watch import run_status as run_status
