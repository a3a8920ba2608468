"""Files that appear under their final name whole, or not at all."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import stat
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from eyelid.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RANDOM = 8  # characters that set the partial files of two runs apart
_STEM_BYTES = 150  # keeps the partial name under the 255 bytes that file systems allow
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


def check_output(source: Path, final: Path, *, force: bool) -> None:
    """Refuse an output that is the input itself, exists already, or cannot be written; raises OutputError.

    Cheap: for a job to call before it spends time; :func:`atomic_output` holds to the same again at the end.
    """
    with suppress(OSError):
        if source.samefile(final):
            raise OutputError(f"{final} is the input itself; name another output, the input is never changed")
    _check_place(final, force=force)


@contextmanager
def atomic_output(final: Path, *, force: bool, mode: int = 0o666) -> Iterator[Path]:
    """Yield a partial path beside ``final``; on success sync it and give it the final name in one step.

    The partial file is ``.NAME.TOKEN.partial.SUFFIX``, readable by its owner alone, and is deleted on any
    exception. A killed run leaves at most such a file, which the next run for the same output removes.
    Without ``force`` an existing file is never replaced, not even one that appears meanwhile. The final file
    gets the permissions ``mode``, less what the umask takes. Raises OutputError.
    """
    _check_place(final, force=force)
    partial = final.with_name(
        f"{_partial_stem(final)}.{secrets.token_hex(_RANDOM // 2)}.partial{final.suffix}"
    )
    with ExitStack() as stack:
        stack.callback(_unlink, partial)  # first, so that no signal finds a file that nobody removes
        try:
            _remove_leftovers(final)
            stack.callback(os.close, _create(partial))
            yield partial
            _publish(partial, final, mode, force=force)
        except OSError as error:
            raise _output_error(final, error) from error
        except (OutputError, UsageError) as error:
            raise type(error)(str(error).replace(str(partial), str(final))) from error


def _check_place(final: Path, *, force: bool) -> None:
    if not final.name:
        raise OutputError(f"{final} is a folder; name a file in it")
    try:
        mode = final.stat().st_mode
    except FileNotFoundError:
        if not final.parent.is_dir():
            raise OutputError(
                f"the folder {final.parent} of the output does not exist; create it first"
            ) from None
        if not os.access(final.parent, os.W_OK | os.X_OK):
            raise OutputError(
                f"the folder {final.parent} may not be written to; choose another output"
            ) from None
        return
    except OSError as error:
        raise _output_error(final, error) from error
    if not stat.S_ISREG(mode):
        raise OutputError(f"{final} exists and is not a regular file; choose another output")
    if not force:
        raise _exists(final)


def _create(partial: Path) -> int:
    """Create an empty partial file and hold a lock on it, so that other runs see that its owner lives."""
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # some network file systems cannot lock; their leftovers stay
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else another run cleaned it away before it was locked
            return descriptor
        os.close(descriptor)


def _unlink(partial: Path) -> None:
    with suppress(OSError):  # the folder may be gone, or its name too long
        partial.unlink()


def _remove_leftovers(final: Path) -> None:
    """Delete partial files for the same output whose owner is dead, that is, no longer holds its lock."""
    start, end = f"{_partial_stem(final)}.", f".partial{final.suffix}"
    length = len(start) + _RANDOM + len(end)
    try:
        with os.scandir(final.parent) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return  # a folder may be written but not listed
    for name in names:
        if len(name) != length or not name.startswith(start) or not name.endswith(end):
            continue
        leftover = final.parent / name
        with suppress(OSError):
            descriptor = os.open(leftover, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(descriptor)


def _partial_stem(final: Path) -> str:
    return "." + os.fsdecode(os.fsencode(final.stem)[:_STEM_BYTES])


def _publish(partial: Path, final: Path, mode: int, *, force: bool) -> None:
    umask = os.umask(0o077)
    os.umask(umask)
    descriptor = os.open(partial, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, mode & ~umask)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if force:
        partial.replace(final)
    else:
        _rename_new(partial, final)
    sync_folder(final.parent)


def _rename_new(partial: Path, final: Path) -> None:
    """Give the partial file its final name unless that name is taken, without a moment between the two."""
    try:
        os.link(partial, final)
    except FileExistsError:
        raise _exists(final) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename_noreplace(partial, final)


def _rename_noreplace(partial: Path, final: Path) -> None:
    """Rename on file systems without hard links, by renameat2(2) where there is one."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        names = (_AT_FDCWD, os.fsencode(partial), _AT_FDCWD, os.fsencode(final))
        if renameat2(*names, _RENAME_NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code == errno.EEXIST:
            raise _exists(final)
        if code not in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
            raise OSError(code, os.strerror(code), str(final))
    if os.path.lexists(final):
        raise _exists(final)
    partial.rename(final)


def sync_folder(folder: Path) -> None:
    """Bring the names of new files in a folder to the disk, where its file system can."""
    with suppress(OSError):  # the file itself is synced; some file systems cannot sync a folder
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exists(final: Path) -> OutputError:
    return OutputError(f"{final} exists already; choose another output or allow it to be replaced (--force)")


def _output_error(final: Path, error: OSError) -> OutputError:
    if error.errno in _FULL:
        return OutputError(f"no space left for {final}; free some space or choose another disk")
    if error.errno == errno.ENAMETOOLONG:
        return OutputError(f"the name of the output {final.name} is too long; choose a shorter one")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return OutputError(f"{final} may not be written; choose another output")
    if error.errno == errno.ENOENT:
        return OutputError(f"{final} cannot be created: its folder takes no new files; choose another folder")
    reason = (error.strerror or "the system does not say why").lower()
    return OutputError(f"{final} cannot be written ({reason}); choose another folder or check the disk")
