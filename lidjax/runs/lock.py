"""Who may compute which tiles of a store: locks that are released when their process dies.

In a folder they are locks of the kernel, which releases them however the process ends. At a URL a lock is a small
object that its holder rewrites every few seconds; one that is no longer rewritten has expired. Clocks of different
machines are never compared.
"""

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass

from lidjax.errors import InputError
from lidjax.runs.location import LocalFolder, Location, RemoteFolder
from lidjax.runs.lock_backends import FileLock, HeartbeatLock

WHOLE_RUN, SETUP = ".lock", ".lock-setup"


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 0) of `count` of a run. The two numbers alone decide which tiles belong to it.

    Attributes:
        index: Number of the part, from 0 to `count` - 1.
        count: Number of parts, at least 1.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise InputError(
                f"shard {self.index + 1}/{self.count}: must be from 1/{self.count} to {self.count}/{self.count}"
            )

    @property
    def lock_name(self) -> str:
        return f".lock-{self.index + 1}-of-{self.count}"

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"


@contextlib.contextmanager
def setup_lock(location: Location) -> Generator[None]:
    """Held while a store is created, extended or checked for damage; other processes wait for it."""
    lock = _lock(location, SETUP)
    lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()


class RunLock:
    """The right to compute tiles of a store: all of them, or those of one shard."""

    def __init__(self, location: Location, shard: Shard | None):
        self.location, self.shard = location, shard
        self.whole = _lock(location, WHOLE_RUN, shared=shard is not None)
        self.own = _lock(location, shard.lock_name) if shard else None

    def acquire(self) -> None:
        """Take the lock. Raises InputError if a process that is still running holds it."""
        if isinstance(self.location, RemoteFolder):
            others = [WHOLE_RUN] if self.shard else [n for n in self.location.names(".lock-") if "-of-" in n]
            for name in others:
                HeartbeatLock(self.location, name).refuse_if_held()
        if self.shard is None or isinstance(self.location, LocalFolder):
            self.whole.acquire()
        if self.own is not None:
            self._acquire_own(self.own)

    def _acquire_own(self, own: "FileLock | HeartbeatLock") -> None:
        """Take the lock of the shard. `is_held` of another process holds it for an instant: try more than once."""
        for _ in range(5):
            try:
                return own.acquire()
            except InputError:
                time.sleep(0.05)
        own.acquire()

    def alone(self) -> bool:
        """Whether no process works on another shard; always true for a whole run, whose lock excludes shards."""
        if self.shard is None:
            return True
        if isinstance(self.location, RemoteFolder):
            names = [n for n in self.location.names(".lock-") if "-of-" in n and n != self.shard.lock_name]
            return not any(HeartbeatLock(self.location, name).is_alive() for name in names)
        return isinstance(self.whole, FileLock) and self.whole.alone()

    def check(self) -> None:
        """Raise InputError if the lock expired and another process took it over."""
        for lock in (self.whole, self.own):
            if lock is not None:
                lock.check()

    def release(self) -> None:
        for lock in (self.own, self.whole):
            if lock is not None:
                lock.release()


def is_held(location: Location, shard: Shard) -> bool:
    """Whether a running process works on `shard`."""
    lock = _lock(location, shard.lock_name, shared=True)
    if isinstance(lock, HeartbeatLock):
        return lock.is_alive()
    try:
        lock.acquire()
    except InputError:
        return True
    lock.release()
    return False


def _lock(location: Location, name: str, shared: bool = False) -> "FileLock | HeartbeatLock":
    return (
        FileLock(location, name, shared)
        if isinstance(location, LocalFolder)
        else HeartbeatLock(location, name)
    )
