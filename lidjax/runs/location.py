"""Where a run lies: a folder of this machine, or any URL that fsspec knows (`s3://`, `gs://`, `memory://`).

A place holds the store, `results.zarr`, and small named files beside it (locks). Writes are atomic a file in both:
files are renamed into their place, objects are put whole.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from lidjax.errors import InputError

STORE = "results.zarr"


def place_of(out: "str | Path") -> "LocalPlace | RemotePlace":
    """The place that `out` names: a path, a `file://` URL, or another URL; the store inside it will also do."""
    if isinstance(out, Path) or "://" not in out:
        return LocalPlace(Path(out))
    if out.startswith("file://"):
        return LocalPlace(Path(out.removeprefix("file://")))
    return RemotePlace(out)


class LocalPlace:
    """A folder. Nothing in it may lead out of it."""

    def __init__(self, folder: Path):
        self.folder = folder.parent if folder.name == STORE else folder
        self.store_folder = self.folder / STORE
        self.store_name = str(self.store_folder)

    def zarr_store(self, read_only: bool = False) -> Any:
        from zarr.storage import LocalStore

        return LocalStore(self.store_folder, read_only=read_only)

    def has_store(self) -> bool:
        return self.store_folder.exists() or self.store_folder.is_symlink()

    def remove_store(self) -> None:
        shutil.rmtree(self.store_folder)

    def free_bytes(self) -> int | None:
        """What the file system has left; the folder need not exist yet."""
        there = next(p for p in (self.folder.absolute(), *self.folder.absolute().parents) if p.exists())
        return shutil.disk_usage(there).free

    def prepare(self) -> None:
        """Make the folder, new, empty or a run's own; InputError if it is foreign or cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            names = sorted(p.name for p in self.folder.iterdir())
            if not self.has_store():
                foreign = [n for n in names if n not in (STORE, "figures") and not n.startswith(".lock")]
                if foreign:
                    raise InputError(
                        f"{self.folder}: holds files that are not a run's ({', '.join(foreign[:3])}); "
                        "name a new --out"
                    )
            for where in (self.folder, self.store_folder):
                if where.exists() and not os.access(where, os.W_OK | os.X_OK, effective_ids=True):
                    raise PermissionError(13, "Permission denied")
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be written: {error.strerror or error}; name another --out"
            ) from None

    def check_inside(self) -> None:
        """Refuse a store with links in it: a store from elsewhere could make a run write anywhere."""
        for folder, folders, files in os.walk(self.store_folder):
            for name in (*folders, *files):
                if os.path.islink(os.path.join(folder, name)):
                    raise InputError(
                        f"{os.path.join(folder, name)}: a symbolic link inside a store; "
                        "stores are plain files, and a link could lead outside the folder"
                    )
        if self.store_folder.is_symlink():
            raise InputError(f"{self.store_folder}: is a symbolic link; name the folder that it leads to")

    def remove_partial_files(self) -> None:
        """What a killed process left half written; only for who has the place for itself."""
        for path in self.store_folder.rglob("*.partial"):
            path.unlink(missing_ok=True)

    def __str__(self) -> str:
        return str(self.folder)


class RemotePlace:
    """A URL. Credentials and endpoints are fsspec's own business: its configuration and environment."""

    def __init__(self, url: str):
        url = url.rstrip("/")
        self.url = url.removesuffix("/" + STORE)
        self.store_name = f"{self.url}/{STORE}"
        try:
            from fsspec.core import url_to_fs

            self.fs, self.path = url_to_fs(self.url)
        except ImportError as error:
            raise InputError(
                f"{self.url}: reading and writing URLs needs a package that is not installed ({error}); "
                "for s3:// `pip install 'lidjax[s3]'`"
            ) from None
        except ValueError as error:
            raise InputError(f"{self.url}: {error}") from None

    def zarr_store(self, read_only: bool = False) -> Any:
        from zarr.storage import FsspecStore

        return FsspecStore.from_url(self.store_name, read_only=read_only)

    def has_store(self) -> bool:
        try:
            self.fs.invalidate_cache()
            return bool(self.fs.exists(f"{self.path}/{STORE}/zarr.json"))
        except Exception as error:  # every file system has its own: what the user needs is its words
            raise InputError(f"{self.url}: cannot be reached: {error}") from None

    def remove_store(self) -> None:
        self.fs.rm(f"{self.path}/{STORE}", recursive=True)
        self.fs.invalidate_cache()

    def free_bytes(self) -> int | None:
        return None

    def prepare(self) -> None:
        """Write and remove a small file, so that a run that cannot write says so before it computes."""
        try:
            self.write(".lock-probe", b"")
            self.remove(".lock-probe")
        except Exception as error:
            raise InputError(f"{self.url}: cannot be written: {error}; name another --out") from None

    def check_inside(self) -> None:
        """Objects have no links."""

    def remove_partial_files(self) -> None:
        """Objects are put whole."""

    def read(self, name: str) -> bytes | None:
        """A small file beside the store; None if it is not there."""
        try:
            self.fs.invalidate_cache()
            return self.fs.cat_file(f"{self.path}/{name}")
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        self.fs.pipe_file(f"{self.path}/{name}", content)

    def remove(self, name: str) -> None:
        self.fs.invalidate_cache()
        if self.fs.exists(f"{self.path}/{name}"):
            self.fs.rm_file(f"{self.path}/{name}")

    def names(self, prefix: str) -> list[str]:
        """Names beside the store that start with `prefix`."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.ls(self.path, detail=False)
        except FileNotFoundError:
            return []
        return [name.rsplit("/", 1)[-1] for name in found if name.rsplit("/", 1)[-1].startswith(prefix)]

    def __str__(self) -> str:
        return self.url


Place = LocalPlace | RemotePlace
