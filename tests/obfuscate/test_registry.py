from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from eyelid.errors import UsageError
from eyelid.obfuscate.registry import NAMES, Blur, Cloak, Lock, Method, Pixelate, Solid, build, parse


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("solid", Solid()),
        ("pixelate", Pixelate()),
        ("pixelate:4", Pixelate(cells=4)),
        ("pixelate:4,levels=16", Pixelate(cells=4, levels=16)),
        ("blur:levels=2,cells=3", Blur(cells=3, levels=2)),
        ("lock:my.key", Lock(key=Path("my.key"))),
        ("cloak:4,steps=9", Cloak(levels=4, steps=9)),
        ("lock:key=a/b.key", Lock(key=Path("a/b.key"))),
    ],
)
def test_methods_are_read_as_typed_and_survive_json(text: str, method: Method) -> None:
    assert parse(text) == method
    adapter: TypeAdapter[Method] = TypeAdapter(Method)
    assert adapter.validate_json(adapter.dump_json(method)) == method


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "mosaic",
            "solid:3",
            "pixelate:0",
            "pixelate:1000",
            "pixelate:four",
            "pixelate:cells=2,cells=3",
        ),
        *(
            "pixelate:2,3",
            "pixelate:levels=257",
            "pixelate:name=solid",
            "lock",
            "blur:sigma=3",
            "pixelate:nan",
        ),
    ],
)
def test_a_wrong_method_is_one_clear_sentence(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text)
    assert "\n" not in str(error.value)
    assert "pydantic" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "given", "words"),
    [
        ("dp-pixelate", {"epsilon": 0.0}, "epsilon 0: "),
        ("dp-pixelate", {"epsilon": -1.0}, "epsilon -1: "),
        ("dp-pixelate", {"epsilon": float("nan")}, "epsilon nan: "),
        ("dp-pixelate", {"pixels": 0}, "pixels 0: "),
        ("pixelate:four", {}, "cells four: "),
        ("dp-pixelate:eps=1,budget=.5", {}, "'dp-pixelate:eps=1,budget=.5': budget 0.5 is less"),
        ("lock", {}, "'lock': key: field required"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_value(text: str, given: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text, given)
    assert f"cannot use {words}" in str(error.value)


def test_every_method_is_listed_once() -> None:
    assert len(NAMES) == len(set(NAMES))
    shipped = {"solid", "pixelate", "blur", "lock", "dp-pixelate", "dp-blur", "metric", "svd", "cloak"}
    assert shipped <= set(NAMES)


def test_parameters_cannot_be_changed_or_invented() -> None:
    with pytest.raises(ValidationError):
        Pixelate(cells=3, strength=4)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Pixelate().cells = 3  # type: ignore[misc]


def test_only_lock_has_a_sidecar_and_needs_it() -> None:
    assert [m.sidecar for m in (Solid, Pixelate, Blur, Lock)] == [None, None, None, ".lock"]
    with pytest.raises(ValueError, match="sidecar"):
        build(Lock(key=Path("my.key")))
