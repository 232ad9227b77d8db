"""Stages of a run kept as `.npz` files, written whole or not at all, so that an interrupted run goes on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class Checkpoints:
    """Named pytrees of arrays in a folder; without a folder they live in memory."""

    def __init__(self, folder: Path | None):
        self.folder = folder
        self.memory: dict[str, list[np.ndarray]] = {}

    def save(self, name: str, tree: Any) -> None:
        """Replace what is kept under `name`."""
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
        if self.folder is None:
            self.memory[name] = leaves
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.folder / f".{name}.npz"
        np.savez(written, *leaves)
        os.replace(written, self.folder / f"{name}.npz")

    def load(self, name: str, like: Any) -> Any | None:
        """What is kept under `name`, with the structure of `like`; None where there is nothing."""
        treedef = jax.tree.structure(like)
        if self.folder is None:
            leaves = self.memory.get(name)
        elif (self.folder / f"{name}.npz").exists():
            with np.load(self.folder / f"{name}.npz") as file:
                leaves = [file[f"arr_{i}"] for i in range(len(file.files))]
        else:
            leaves = None
        return None if leaves is None else jax.tree.unflatten(treedef, [jnp.asarray(leaf) for leaf in leaves])

    def once(self, name: str, like: Any, make: Callable[[], Any]) -> Any:
        """What is kept under `name`, or what `make` returns, which is then kept."""
        found = self.load(name, like)
        if found is None:
            found = make()
            self.save(name, found)
        return found
