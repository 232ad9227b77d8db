"""The two kinds of lock: a lock on a file of the kernel, and an object at a URL that its holder keeps rewriting."""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from typing import Any

from lidjax.errors import InputError
from lidjax.runs.location import LocalFolder, Location, RemoteFolder

HEARTBEAT_SECONDS = 5.0
EXPIRY = 3  # heartbeats without a change after which a lock has expired; a heuristic


def _refusal(location: Location, holder: str) -> InputError:
    return InputError(
        f"{location}: another run is using this store ({holder}); wait for it, or name another --out"
    )


class FileLock:
    """An advisory lock on a file of the folder (flock); `shared` holders exclude exclusive ones only."""

    def __init__(self, location: LocalFolder, name: str, shared: bool = False):
        import fcntl

        self.flock = fcntl.flock
        self.mode, self.free, self.exclusive = (
            fcntl.LOCK_SH if shared else fcntl.LOCK_EX,
            fcntl.LOCK_UN,
            fcntl.LOCK_EX | fcntl.LOCK_NB,
        )
        self.at_once = fcntl.LOCK_NB
        self.location, self.path, self.file = location, location.folder / name, -1

    def acquire(self, wait: bool = False) -> None:
        try:
            self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be locked: {error.strerror or error}; name another --out"
            ) from None
        try:
            self.flock(self.file, self.mode if wait else self.mode | self.at_once)
        except BlockingIOError:
            holder = os.read(self.file, 200).decode(errors="relocation").strip() or "holder unknown"
            os.close(self.file)
            self.file = -1
            raise _refusal(self.location, holder) from None
        except OSError as error:
            os.close(self.file)
            self.file = -1
            raise InputError(
                f"{self.path}: this file system does not lock files ({error.strerror or error}); "
                "name an --out on one that does"
            ) from None
        with contextlib.suppress(OSError):  # a full disk: the lock works without the name of its holder
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
        """Nothing to check: the kernel does not revoke a lock."""

    def release(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


def file_lock_holder(location: LocalFolder, name: str) -> str | None:
    """Who holds the lock of a file, in words; None if nobody does. Nothing is created."""
    import fcntl

    try:
        file = os.open(location.folder / name, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(file, 200).decode(errors="replace").strip() or "holder unknown"
    except OSError:  # a file system that does not lock files, where no run can be
        return None
    finally:
        os.close(file)
    return None


class HeartbeatLock:
    """A lock made of an object at a URL: it is held for as long as its content keeps changing."""

    def __init__(self, location: RemoteFolder, name: str):
        self.location, self.name = location, name
        self.token = uuid.uuid4().hex
        self.renewals = 0
        self.thread: threading.Thread | None = None
        self.stop = threading.Event()
        self.lost = False

    def acquire(self, wait: bool = False) -> None:
        while True:
            if wait:
                while self.is_alive():
                    time.sleep(HEARTBEAT_SECONDS / 5)
            else:
                self.refuse_if_held()
            self._renew()
            time.sleep(HEARTBEAT_SECONDS / 10)  # if two processes took it at once, the later write wins
            if self.content().get("token") == self.token:
                break
            if not wait:
                raise _refusal(self.location, "it started at the same moment")
        self.thread = threading.Thread(target=self._keep, daemon=True)
        self.thread.start()

    def refuse_if_held(self) -> None:
        if self.is_alive():
            raise _refusal(self.location, self.content().get("holder", "holder unknown"))

    def is_alive(self) -> bool:
        """Watch the lock until it changes (held) or `EXPIRY` heartbeats have passed (expired)."""
        seen = self.content()
        if not seen or _ended_here(seen):
            return False
        until = time.monotonic() + EXPIRY * HEARTBEAT_SECONDS
        while time.monotonic() < until:
            time.sleep(HEARTBEAT_SECONDS / 5)
            now = self.content()
            if not now:
                return False
            if now != seen:
                return True
        return False

    def check(self) -> None:
        if self.lost:
            raise InputError(
                f"{self.location}: this process did not renew its lock in time, and another run took it over"
            )

    def release(self) -> None:
        if self.thread is None:
            return
        self.stop.set()
        self.thread.join()
        self.thread = None
        if not self.lost:
            self.location.remove(self.name)

    def _keep(self) -> None:
        while not self.stop.wait(HEARTBEAT_SECONDS):
            try:
                held = self.content().get("token")
                if held not in (self.token, None):
                    self.lost = True
                    return
                self._renew()
            except Exception:  # the network may recover; a lock lost meanwhile is noticed above
                continue

    def _renew(self) -> None:
        self.renewals += 1
        content = {
            "token": self.token,
            "beat": self.renewals,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        self.location.write(self.name, json.dumps(content | {"holder": _holder()}).encode())

    def content(self) -> dict[str, Any]:
        """What the holder wrote last; empty if nobody holds the lock."""
        try:
            found = json.loads(self.location.read(self.name) or b"{}")
        except ValueError:
            return {"token": "unreadable"}
        return found if isinstance(found, dict) else {"token": "unreadable"}


def _holder() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _ended_here(found: dict[str, Any]) -> bool:
    """Whether the holder ran on this machine and its process has ended."""
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
