"""Where a run keeps its results: a local folder, or any URL that fsspec knows (`s3://`, `gs://`, `memory://`).

A location holds the store, `results.zarr`, and small named files beside it: locks and intermediate results. Every file
is written atomically: in a folder by renaming a complete file, at a URL by uploading a complete object.
"""

import contextlib
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from lidjax.errors import InputError

STORE = "results.zarr"
OWN_NAMES = (STORE, "figures", "slurm", "work", "counts.csv")
"""What a run writes into its folder, besides locks."""


def open_location(out: "str | Path") -> "Location":
    """The location that `out` names: a path, a `file://` URL or another URL. The store inside it also names it."""
    if out == "":
        raise InputError("the name of the folder or URL of results is empty: name one, such as runs/first")
    if isinstance(out, Path) or "://" not in out:
        return LocalFolder(Path(out))
    if out.startswith("file://"):
        return LocalFolder(Path(out.removeprefix("file://")))
    return RemoteFolder(out)


class LocalFolder:
    """A local folder. A store may not contain links: nothing in it leads out of it."""

    def __init__(self, folder: Path):
        self.folder = folder.parent if folder.name == STORE else folder
        self.store_folder = self.folder / STORE
        self.store_name = str(self.store_folder)

    @property
    def figures(self) -> Path:
        """Folder for the figures of the run."""
        return self.folder / "figures"

    def zarr_store(self, read_only: bool = False) -> Any:
        from zarr.storage import LocalStore

        return LocalStore(self.store_folder, read_only=read_only)

    def has_store(self) -> bool:
        return self.store_folder.exists() or self.store_folder.is_symlink()

    def remove_store(self) -> None:
        shutil.rmtree(self.store_folder)

    def free_bytes(self) -> int | None:
        """Free space of the file system; the folder need not exist yet."""
        there = next(p for p in (self.folder.absolute(), *self.folder.absolute().parents) if p.exists())
        return shutil.disk_usage(there).free

    def prepare(self) -> None:
        """Create the folder. Raises InputError if it holds files of something else, or cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            names = sorted(p.name for p in self.folder.iterdir())
            if not self.has_store():
                foreign = [n for n in names if n not in OWN_NAMES and not n.startswith(".lock")]
                if foreign:
                    raise InputError(
                        f"{self.folder}: the folder holds files that no run wrote ({', '.join(foreign[:3])}); "
                        "name a new folder with --out"
                    )
            for where in (self.folder, self.store_folder):
                if where.exists() and not os.access(where, os.W_OK | os.X_OK, effective_ids=True):
                    raise PermissionError(13, "Permission denied")
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be written: {error.strerror or error}; name another --out"
            ) from None

    def check_inside(self) -> None:
        """Raise InputError if the store contains links: a store from elsewhere could make a run write anywhere."""
        for folder, folders, files in os.walk(self.store_folder):
            for name in (*folders, *files):
                if os.path.islink(os.path.join(folder, name)):
                    raise InputError(
                        f"{os.path.join(folder, name)}: a symbolic link inside a store; "
                        "a store consists of plain files, because a link could lead out of the folder"
                    )
        if self.store_folder.is_symlink():
            raise InputError(f"{self.store_folder}: is a symbolic link; name the folder it points to")

    def remove_partial_files(self) -> None:
        """Remove files that a killed process left incomplete. The caller must hold the lock of the whole run."""
        for path in self.store_folder.rglob("*.partial"):
            path.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """Content of a small file beside the store; None if there is none."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replace a small file beside the store, atomically."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        os.replace(partial, path)

    def remove(self, name: str) -> None:
        """Remove a small file beside the store, if it is there."""
        (self.folder / name).unlink(missing_ok=True)

    def remove_folder(self, name: str) -> None:
        """Remove a folder beside the store, if it is there."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def names(self, prefix: str) -> list[str]:
        """Names of the files beside the store, or in a folder of it, that start with `prefix`."""
        folder, _, start = prefix.rpartition("/")
        found = (self.folder / folder).glob(f"{start}*") if (self.folder / folder).is_dir() else ()
        return sorted(f"{folder}/{path.name}" if folder else path.name for path in found)

    def written(self, folder: str) -> list[float]:
        """When each file below a folder of the location was last written, in seconds of the file system's clock."""
        times: list[float] = []
        for parent, _, files in os.walk(self.folder / folder):
            for name in files:
                with contextlib.suppress(OSError):  # replaced in this instant
                    times.append(os.stat(os.path.join(parent, name)).st_mtime)
        return times

    def __str__(self) -> str:
        return str(self.folder)


class RemoteFolder:
    """A folder at a URL. fsspec takes credentials and endpoints from its own configuration and the environment."""

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
            raise InputError(f"{self.url}: {_in_words(error)}") from None

    @property
    def figures(self) -> Path:
        """Folder for the figures of the run, which are written locally."""
        return Path("runs") / (Path(self.path).name or "results") / "figures"

    def zarr_store(self, read_only: bool = False) -> Any:
        from zarr.storage import FsspecStore

        return FsspecStore.from_url(self.store_name, read_only=read_only)

    def has_store(self) -> bool:
        try:
            self.fs.invalidate_cache()
            return bool(self.fs.exists(f"{self.path}/{STORE}/zarr.json"))
        except Exception as error:  # every file system has exceptions of its own
            raise InputError(f"{self.url}: cannot be reached: {_in_words(error)}") from None

    def remove_store(self) -> None:
        self.fs.rm(f"{self.path}/{STORE}", recursive=True)
        self.fs.invalidate_cache()

    def free_bytes(self) -> int | None:
        return None

    def prepare(self) -> None:
        """Write and remove a small file, so that a run that cannot write fails before it computes."""
        try:
            self.write(".lock-probe", b"")
            self.remove(".lock-probe")
        except Exception as error:
            raise InputError(
                f"{self.url}: cannot be written: {_in_words(error)}; name another --out"
            ) from None

    def check_inside(self) -> None:
        """Nothing to check: objects have no links."""

    def remove_partial_files(self) -> None:
        """Nothing to remove: objects are uploaded complete or not at all."""

    def read(self, name: str) -> bytes | None:
        """Content of a small file beside the store; None if there is none."""
        try:
            self.fs.invalidate_cache()
            return self.fs.cat_file(f"{self.path}/{name}")
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replace a small file beside the store, atomically."""
        self.fs.pipe_file(f"{self.path}/{name}", content)

    def remove(self, name: str) -> None:
        """Remove a small file beside the store, if it is there."""
        self.fs.invalidate_cache()
        if self.fs.exists(f"{self.path}/{name}"):
            self.fs.rm_file(f"{self.path}/{name}")

    def remove_folder(self, name: str) -> None:
        """Remove a folder beside the store, if it is there."""
        self.fs.invalidate_cache()
        if self.fs.exists(f"{self.path}/{name}"):
            self.fs.rm(f"{self.path}/{name}", recursive=True)

    def names(self, prefix: str) -> list[str]:
        """Names of the files beside the store, or in a folder of it, that start with `prefix`."""
        self.fs.invalidate_cache()
        folder, _, start = prefix.rpartition("/")
        try:
            found = self.fs.ls(f"{self.path}/{folder}" if folder else self.path, detail=False)
        except FileNotFoundError:
            return []
        names = [str(name).rsplit("/", 1)[-1] for name in found]
        return sorted(f"{folder}/{name}" if folder else name for name in names if name.startswith(start))

    def written(self, folder: str) -> list[float]:
        """When each object below a folder of the location was last written, in seconds of the server's clock.

        Empty where a file system does not tell.
        """
        self.fs.invalidate_cache()
        found = self.fs.find(f"{self.path}/{folder}", detail=True)
        times = (
            next(
                (about[key] for key in ("LastModified", "updated", "mtime", "created") if key in about), None
            )
            for about in found.values()
        )
        return [at.timestamp() if isinstance(at, datetime) else float(at) for at in times if at is not None]

    def __str__(self) -> str:
        return self.url


def _in_words(error: Exception) -> str:
    """What an error says, or its name: some file systems raise errors without a message."""
    text = str(error)
    return type(error).__name__ if text in ("", "None") else text


Location = LocalFolder | RemoteFolder
