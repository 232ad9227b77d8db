"""Intermediate results of a run beside its store, written completely or not at all, so that a run can be resumed."""

import io
import json
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.runs.location import Location

FOLDER = "work"
Tree = TypeVar("Tree")
"""A pytree of arrays."""


class Checkpoints:
    """Named pytrees of arrays, and small files, in the folder `work` of a location; in memory without a location."""

    def __init__(self, location: Location | None):
        self.location = location
        self.memory: dict[str, bytes] = {}

    def save(self, name: str, tree: Any) -> None:
        """Replace the pytree of this name."""
        buffer = io.BytesIO()
        np.savez(buffer, *(np.asarray(leaf) for leaf in jax.tree.leaves(tree)))
        self.write(f"{name}.npz", buffer.getvalue())

    def load(self, name: str, like: Tree) -> Tree | None:
        """The pytree of this name, with the structure and the shapes of `like`.

        None if there is none, if it has other shapes, or if its file is damaged: it is then computed again.
        """
        content = self.read(f"{name}.npz")
        if content is None:
            return None
        shapes = [np.shape(leaf) for leaf in jax.tree.leaves(like)]
        try:
            with np.load(io.BytesIO(content)) as file:  # the file has a checksum for each array
                leaves = [file[f"arr_{i}"] for i in range(len(file.files))]
        except Exception:  # zipfile and NumPy raise exceptions of many kinds for a damaged file
            return None
        if [leaf.shape for leaf in leaves] != shapes:
            return None
        return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(leaf) for leaf in leaves])

    def write_json(self, name: str, value: Any) -> None:
        """Replace the JSON file of this name."""
        self.write(f"{name}.json", json.dumps(value).encode())

    def read_json(self, name: str) -> Any | None:
        """The content of the JSON file of this name; None if there is none."""
        content = self.read(f"{name}.json")
        return None if content is None else json.loads(content)

    def write(self, name: str, content: bytes) -> None:
        """Replace a file."""
        if self.location is None:
            self.memory[name] = content
        else:
            self.location.write(f"{FOLDER}/{name}", content)

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is none."""
        return self.memory.get(name) if self.location is None else self.location.read(f"{FOLDER}/{name}")

    def names(self, prefix: str) -> list[str]:
        """Names of the files that start with `prefix`."""
        if self.location is None:
            return sorted(name for name in self.memory if name.startswith(prefix))
        return [name.removeprefix(f"{FOLDER}/") for name in self.location.names(f"{FOLDER}/{prefix}")]

    def clear(self) -> None:
        """Remove every file."""
        self.memory.clear()
        if self.location is not None:
            self.location.remove_folder(FOLDER)
