"""Damaged and forged artefacts: refused in a sentence, whatever the damage, and unpacked within bounds."""

from __future__ import annotations

import io
import json
import re
import struct
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import InputError
from eyelid.infer.he import container, gallery_file, programs
from eyelid.infer.he.artefact import Artefact, Target
from eyelid.infer.he.compile import compile as compile_network
from eyelid.infer.network import Square
from tests.infer.he.test_compile import chain, conv, flat_linear
from tests.infer.he.test_gallery import vectors_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FLIPS = 400


@pytest.fixture(scope="module")
def artefact() -> bytes:
    rng = np.random.default_rng(0)
    network = chain((1, 4, 4), conv(rng, 1, 1, 1), Square(), *flat_linear(rng, 2, 16))
    images = rng.random((4, 1, 4, 4)).astype(np.float32)
    return compile_network(network, images, Target.LATENCY).save()


def zipped(parts: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def flips(data: bytes) -> list[bytes]:
    """Return copies with one to three bits turned: half of them in what zip says of the parts."""
    rng = np.random.default_rng(5)
    directory = data.index(b"PK\x01\x02")
    copies = []
    for number in range(FLIPS):
        copy = bytearray(data)
        for _ in range(1 + number % 3):
            place = int(rng.integers(directory if number % 2 else 0, len(data)))
            copy[place] ^= 1 << int(rng.integers(8))
        copies.append(bytes(copy))
    return copies


def test_flipped_bits_are_refused_or_did_no_harm(artefact: bytes) -> None:
    sound, refused = Artefact.load(artefact).save(), []
    for flipped in flips(artefact):
        try:
            assert Artefact.load(flipped).save() == sound
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > FLIPS / 2
    told = re.compile("is damaged or of another version|parts that none should hold|unpacks to")
    assert all(told.search(sentence) for sentence in refused)


def test_flipped_bits_of_a_gallery(tmp_path: Path) -> None:
    path = tmp_path / "g.eyelid"
    told = gallery_file.save_plain(path, "g", vectors_of(3, 4), ("a", "b", "c"))
    refused = 0
    for flipped in flips(path.read_bytes()):
        path.write_bytes(flipped)
        try:
            assert programs.load(path).offer == told
        except InputError:
            refused += 1
    assert refused > FLIPS / 2


def test_the_same_gallery_is_the_same_file(tmp_path: Path) -> None:
    """No time of day is in it."""
    path = tmp_path / "g.eyelid"
    gallery_file.save_plain(path, "g", vectors_of(3, 4), ("a", "b", "c"))
    with zipfile.ZipFile(path) as archive:
        assert {part.date_time for part in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_damage_under_a_checksum_that_is_right(artefact: bytes) -> None:
    """What zip cannot notice: every part in turn is cut, flipped or of another kind."""
    parts = container.unpack(artefact)
    rng = np.random.default_rng(6)
    numbers = 0
    for name, content in parts.items():
        wrong = [content[: int(rng.integers(len(content)))], b"", b"7", b"[7]", b"[" * 100_000]
        wrong += [npy(np.zeros(3, complex)), npy(np.array(["x"])), npy(np.full(3, -1, np.int32))]
        for _ in range(20):
            copy = bytearray(content)
            copy[int(rng.integers(len(copy)))] ^= 1 << int(rng.integers(8))
            wrong.append(bytes(copy))
        for other in wrong:
            try:
                Artefact.load(zipped(parts | {name: other}))
            except InputError:
                continue
            assert len(other) == len(content)
            numbers += 1  # a number may be another: no form tells
    assert numbers > 0


def test_parts_that_do_not_fit_each_other_are_refused(artefact: bytes, tmp_path: Path) -> None:
    """What is well formed by itself, and no network: a server says so, and does not start."""
    parts = container.unpack(artefact)
    stages = json.loads(parts["stages.json"])
    names = [name for name in parts if name.endswith(".npy")]
    first = stages[0]
    wrong: list[dict[str, bytes]] = [
        {name: content for name, content in parts.items() if name not in names} | {"stages.json": b"[]"}
    ]
    wrong += [
        parts | {"stages.json": json.dumps([other, *stages[1:]]).encode()}
        for other in (
            first | {"record": first["record"] | {"primes": 60}},
            first | {"record": first["record"] | {"sources": [7]}},
            first | {"record": first["record"] | {"sources": []}},
            first | {"packing": first["packing"] | {"baby": 0}},
            first | {"packing": first["packing"] | {"period": 3}},
        )
    ]
    last = stages[-1]["record"]
    wrong += [
        parts | {"stages.json": json.dumps([*stages[:-1], stages[-1] | {"record": last | changed}]).encode()}
        for changed in ({"product_scale": -1.0}, {"headroom_bits": 1e9}, {"primes": 0})
    ]
    bare = {
        name: content
        for name, content in parts.items()
        if not name.startswith("0.") or name[2:] not in ("ciphertext.npy", "slot.npy")
    }
    wrong.append(bare | {"stages.json": json.dumps([first | {"packing": None}, *stages[1:]]).encode()})
    path = tmp_path / "net.eyelid"
    for other in wrong:
        path.write_bytes(zipped(other))
        with pytest.raises(InputError, match="damaged"):
            programs.load(path)


def test_an_index_outside_of_its_matrix_is_refused(artefact: bytes) -> None:
    parts = container.unpack(artefact)
    name = next(name for name in parts if name.endswith("columns.npy"))
    values = container.array(parts[name], np.int32).copy()
    values[0] = 2**30
    with pytest.raises(InputError, match="damaged"):
        Artefact.load(zipped(parts | {name: npy(values)}))


def test_a_part_that_is_there_twice_is_refused(artefact: bytes) -> None:
    """The second of two hides the first from who looks for secret keys by name."""
    stream = io.BytesIO(artefact)
    with (
        zipfile.ZipFile(stream, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr("manifest.json", container.unpack(artefact)["manifest.json"])
    with pytest.raises(InputError, match="damaged"):
        Artefact.load(stream.getvalue())


def test_a_bomb_is_refused_before_it_is_unpacked(artefact: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MOST_GAIN", 2**20)
    bomb = zipped(container.unpack(artefact) | {"0.bias.npy": bytes(2**25)})
    tracemalloc.start()
    with pytest.raises(InputError, match=r"unpacks to 33,[\d,]+, more than any artefact"):
        Artefact.load(bomb)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_a_bomb_that_lies_of_its_size_is_not_unpacked(artefact: bytes) -> None:
    bomb = bytearray(zipped({"manifest.json": bytes(2**26)}))
    entry = bomb.index(b"PK\x01\x02")
    for place in (22, entry + 24):
        bomb[place : place + 4] = struct.pack("<I", 100)
    tracemalloc.start()
    with pytest.raises(InputError, match="damaged"):
        Artefact.load(bytes(bomb))
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_an_array_that_promises_more_than_it_has_allocates_nothing() -> None:
    head = npy(np.zeros(3, np.float32))
    for shape in ("(9999999999999,)", "(-1,)", "(99999999999999999999999,)"):
        forged = head.replace(b"(3,), }".ljust(len(shape) + 3), f"{shape}, }}".encode())
        assert len(forged) == len(head)
        assert forged != head
        with pytest.raises(container.DAMAGE):
            container.array(forged, np.float32)
    assert container.array(head, np.float32).tolist() == [0, 0, 0]
    assert container.array(npy(np.zeros(0, np.int32)), np.int32).size == 0
