"""Files that a user names are read within bounds, and what is wrong with them is one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eyelid.errors import EyelidError, InputError, UsageError
from eyelid.media.limited import read_limited

if TYPE_CHECKING:
    from pathlib import Path


def test_as_much_as_there_may_be(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"abcd")
    assert read_limited("list", path, 4) == b"abcd"
    with pytest.raises(InputError, match=r"^the list \S+ is larger than 3 bytes; is it the right file\?$"):
        read_limited("list", path, 3)


def test_an_endless_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "endless"
    path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="larger than 10 bytes"):
        read_limited("list", path, 10)


@pytest.mark.parametrize("error", [InputError, UsageError])
def test_a_file_that_is_none(tmp_path: Path, error: type[EyelidError]) -> None:
    for path, why in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(error, match=rf"^the list {path} can't be read \({why}.*\); look again$"):
            read_limited("list", path, 10, error=error, advice="look again")
