"""The names of `lidjax.runs`, each from its own file."""

from .interrupt import Stopped as Stopped
from .interrupt import StopRequest as StopRequest
from .interrupt import stop_on_signals as stop_on_signals
from .location import Location as Location
from .location import open_location as open_location
from .lock import Shard as Shard
from .progress import ConsoleProgress as ConsoleProgress
from .progress import Progress as Progress
from .progress import no_progress as no_progress
from .progress import show_progress as show_progress
from .schema import CellValues as CellValues
from .schema import Schema as Schema
from .schema import Variable as Variable
from .shards import array_shard as array_shard
from .shards import join_processes as join_processes
from .shards import missing_cells as missing_cells
from .shards import parse_shard as parse_shard
from .shards import wait_for_others as wait_for_others
from .store import stored_kind as stored_kind
from .watch import RunStatus as RunStatus
from .watch import Worker as Worker
from .watch import run_status as run_status
