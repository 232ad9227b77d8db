"""What a report says of where its numbers come from."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lidjax.runs.provenance import circumstances

SHOWN_OF_HASH = 16  # hexadecimal digits
BLOCK = 1 << 20  # bytes


def describe_process() -> dict[str, str]:
    """Versions, device and commit of this process as text."""
    found = circumstances()
    return {
        "versions": ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        "device": str(found["device"]),
        "commit": str(found["git_commit"]),
    }


def describe_files(paths: Iterable[Path]) -> dict[str, str]:
    """Size and SHA-256 of each file, by its path; of a folder only its path.

    Args:
        paths: Files and folders.

    Returns:
        Path of each → what it is.

    Example:
        >>> import pathlib
        >>> from lidjax.report import describe_files
        >>> describe_files([pathlib.Path(".")])
        {'.': 'a folder'}
    """
    found: dict[str, str] = {}
    for path in paths:
        if not path.is_file():
            found[str(path)] = "a folder"
            continue
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        found[str(path)] = f"{path.stat().st_size:,} bytes, SHA-256 {digest.hexdigest()[:SHOWN_OF_HASH]}…"
    return found


def describe_attributes(attributes: Mapping[Any, Any]) -> dict[str, str]:
    """Attributes of a dataset as text; nested ones as JSON."""
    return {
        str(name).replace("_", " "): value
        if isinstance(value, str)
        else json.dumps(value, default=str, ensure_ascii=False)
        for name, value in attributes.items()
    }
