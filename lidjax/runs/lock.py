"""One run on one store, whole or in parts: locks that a dead process does not hold.

In a folder they are kernel locks, freed with their process however it ends. At a URL a lock is a small object that its
holder rewrites every few seconds: one that stays as it is belongs to nobody. No clock is compared with another.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from lidjax.errors import InputError
from lidjax.runs.location import LocalPlace, Place, RemotePlace
from lidjax.runs.lock_backends import BeatLock, FileLock

WHOLE, SETUP = ".lock", ".lock-setup"


@dataclass(frozen=True)
class Share:
    """Part `index` of `count` of a sweep: which tiles are whose follows from these two numbers alone."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise InputError(
                f"share {self.index + 1}/{self.count}: from 1/{self.count} to {self.count}/{self.count}"
            )

    @property
    def lock_name(self) -> str:
        return f".lock-{self.index + 1}-of-{self.count}"

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"


@contextlib.contextmanager
def setup_lock(place: Place) -> Iterator[None]:
    """Hold while a store is made, extended or looked through: others wait for their turn."""
    lock = _lock(place, SETUP)
    lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()


class RunLock:
    """The right to compute tiles of a store: all of them, or those of one share."""

    def __init__(self, place: Place, share: Share | None):
        self.place, self.share = place, share
        self.whole = _lock(place, WHOLE, shared=share is not None)
        self.own = _lock(place, share.lock_name) if share else None

    def acquire(self) -> None:
        """InputError if another living process holds what this one asks for."""
        if isinstance(self.place, RemotePlace):
            others = [WHOLE] if self.share else [n for n in self.place.names(".lock-") if "-of-" in n]
            for name in others:
                BeatLock(self.place, name).refuse_if_held()
        if self.share is None or isinstance(self.place, LocalPlace):
            self.whole.acquire()
        if self.own is not None:
            self._acquire_own(self.own)

    def _acquire_own(self, own: "FileLock | BeatLock") -> None:
        """Another process may look whether the lock is held, which holds it for an instant."""
        for _ in range(5):
            try:
                return own.acquire()
            except InputError:
                time.sleep(0.05)
        own.acquire()

    def alone(self) -> bool:
        """Whether no other share is at work; true ever after for a whole run."""
        if self.share is None:
            return True
        if isinstance(self.place, RemotePlace):
            names = [n for n in self.place.names(".lock-") if "-of-" in n and n != self.share.lock_name]
            return not any(BeatLock(self.place, name).is_alive() for name in names)
        return isinstance(self.whole, FileLock) and self.whole.alone()

    def check(self) -> None:
        """InputError if the lock was lost: this process was silent so long that another took over."""
        for lock in (self.whole, self.own):
            if lock is not None:
                lock.check()

    def release(self) -> None:
        for lock in (self.own, self.whole):
            if lock is not None:
                lock.release()


def is_held(place: Place, share: Share) -> bool:
    """Whether a living process works on `share`."""
    lock = _lock(place, share.lock_name, shared=True)
    if isinstance(lock, BeatLock):
        return lock.is_alive()
    try:
        lock.acquire()
    except InputError:
        return True
    lock.release()
    return False


def _lock(place: Place, name: str, shared: bool = False) -> "FileLock | BeatLock":
    return FileLock(place, name, shared) if isinstance(place, LocalPlace) else BeatLock(place, name)
