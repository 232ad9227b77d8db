"""The two kinds of lock that a dead process does not hold: of a file, and of an object that has to be kept alive."""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from typing import Any

from lidjax.errors import InputError
from lidjax.runs.location import LocalPlace, Place, RemotePlace

BEAT_SECONDS = 5.0
PATIENCE = 3  # beats without a sign of life until a lock is taken over; a heuristic


def _refusal(place: Place, holder: str) -> InputError:
    return InputError(
        f"{place}: another run is at work on this store ({holder}); wait for it, or name another --out"
    )


class FileLock:
    """An advisory lock on a file of the folder (flock); `shared` holders exclude exclusive ones only."""

    def __init__(self, place: LocalPlace, name: str, shared: bool = False):
        import fcntl

        self.flock = fcntl.flock
        self.mode, self.free, self.exclusive = (
            fcntl.LOCK_SH if shared else fcntl.LOCK_EX,
            fcntl.LOCK_UN,
            fcntl.LOCK_EX | fcntl.LOCK_NB,
        )
        self.at_once = fcntl.LOCK_NB
        self.place, self.path, self.file = place, place.folder / name, -1

    def acquire(self, wait: bool = False) -> None:
        try:
            self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be locked: {error.strerror}; name another --out") from None
        try:
            self.flock(self.file, self.mode if wait else self.mode | self.at_once)
        except BlockingIOError:
            holder = os.read(self.file, 200).decode(errors="replace").strip() or "holder unknown"
            os.close(self.file)
            self.file = -1
            raise _refusal(self.place, holder) from None
        except OSError as error:
            os.close(self.file)
            self.file = -1
            raise InputError(
                f"{self.path}: this file system does not lock files ({error.strerror}); name an --out on one that does"
            ) from None
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's name
            os.ftruncate(self.file, 0)
            os.pwrite(self.file, _holder().encode(), 0)

    def alone(self) -> bool:
        """Whether a shared lock has no other holder."""
        try:
            self.flock(self.file, self.exclusive)
        except BlockingIOError:
            return False
        finally:
            self.flock(self.file, self.mode)
        return True

    def check(self) -> None:
        """The kernel does not take a lock away."""

    def release(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


class BeatLock:
    """A lock where there are only objects: alive while its content changes."""

    def __init__(self, place: RemotePlace, name: str):
        self.place, self.name = place, name
        self.token = uuid.uuid4().hex
        self.beats = 0
        self.thread: threading.Thread | None = None
        self.stop = threading.Event()
        self.lost = False

    def acquire(self, wait: bool = False) -> None:
        while True:
            if wait:
                while self.is_alive():
                    time.sleep(BEAT_SECONDS / 5)
            else:
                self.refuse_if_held()
            self._beat()
            time.sleep(BEAT_SECONDS / 10)  # of two who took it over at once the later one has it
            if self._read().get("token") == self.token:
                break
            if not wait:
                raise _refusal(self.place, "it started at the same moment")
        self.thread = threading.Thread(target=self._keep, daemon=True)
        self.thread.start()

    def refuse_if_held(self) -> None:
        if self.is_alive():
            raise _refusal(self.place, self._read().get("holder", "holder unknown"))

    def is_alive(self) -> bool:
        """Watch the lock until it changes (alive) or `PATIENCE` beats have passed (dead)."""
        seen = self._read()
        if not seen or _ended_here(seen):
            return False
        until = time.monotonic() + PATIENCE * BEAT_SECONDS
        while time.monotonic() < until:
            time.sleep(BEAT_SECONDS / 5)
            now = self._read()
            if not now:
                return False
            if now != seen:
                return True
        return False

    def check(self) -> None:
        if self.lost:
            raise InputError(
                f"{self.place}: this process was silent so long that another run took its lock; it stops here"
            )

    def release(self) -> None:
        if self.thread is None:
            return
        self.stop.set()
        self.thread.join()
        self.thread = None
        if not self.lost:
            self.place.remove(self.name)

    def _keep(self) -> None:
        while not self.stop.wait(BEAT_SECONDS):
            try:
                held = self._read().get("token")
                if held not in (self.token, None):
                    self.lost = True
                    return
                self._beat()
            except Exception:  # the network may come back; a lock that is then another's is noticed above
                continue

    def _beat(self) -> None:
        self.beats += 1
        content = {"token": self.token, "beat": self.beats, "host": socket.gethostname(), "pid": os.getpid()}
        self.place.write(self.name, json.dumps(content | {"holder": _holder()}).encode())

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.place.read(self.name) or b"{}")
        except ValueError:
            return {"token": "unreadable"}
        return found if isinstance(found, dict) else {"token": "unreadable"}


def _holder() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _ended_here(found: dict[str, Any]) -> bool:
    """Whether the holder ran on this machine and is gone."""
    pid = found.get("pid")
    if found.get("host") != socket.gethostname() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
