"""EDGE: replace a text file in one step, so that a crash or a full disk leaves the old one. Contains no business logic."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from aggregator.errors import AggregatorError


def replace_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8) beside the file, flush it to the disk, move it into place. Missing folders are made.

    A symbolic link stays a link: the file it points to is replaced. Permissions of an existing file are kept.
    Raises AggregatorError with a sentence; the old file is then unchanged and nothing is left beside it.
    """
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, text.encode("utf-8"))
    except OSError as error:
        reason = error.strerror or error
        raise AggregatorError(
            f"{path} cannot be written ({reason}); nothing was changed. Check the free space and the permissions of {target.parent}."
        ) from error


def _replace(target: Path, data: bytes) -> None:
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, _mode(target))
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    _sync_folder(target.parent)


def _mode(target: Path) -> int:
    """The mode of the file that is replaced; for a new one what the umask leaves of rw-rw-rw-."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    # the rename itself is durable only once the folder is; not every system lets one open a folder
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
