"""Over HTTP: keys go in chunks, the answer comes back, and the server's process never holds a secret key."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import InferenceError
from eyelid.infer.calling import Caller
from eyelid.infer.he import gallery_file, keys, wire
from eyelid.infer.he.client import Client
from eyelid.infer.he.server import Server
from eyelid.infer.he.service import Remote, application
from eyelid.infer.serving import serving
from tests.infer.he.conftest import PASSPHRASE, Shop
from tests.infer.he.test_keys import secret_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]
PROGRAM = [sys.executable, "-c", "from eyelid.cli import main; main()"]


@pytest.fixture
def remote(shop: Shop) -> Iterator[Remote]:
    with serving(application(Server(shop.server.program))) as where, Caller(where) as caller:
        yield Remote(caller)


def test_a_whole_exchange(shop: Shop, remote: Remote) -> None:
    offer = remote.offer()
    assert offer == shop.offer
    path = keys.evaluation_path(shop.folder / "a.key")
    assert remote.send_keys(shop.client.key_id, path)
    assert not remote.send_keys(shop.client.key_id, path)
    request = shop.client.encrypt(shop.vectors[9])
    response = remote.run(request.data)
    assert shop.client.classes(response, request).tolist() == [9]


def test_the_server_refuses_in_a_sentence(shop: Shop, remote: Remote) -> None:
    with pytest.raises(InferenceError, match="send them first"):
        remote.run(shop.client.encrypt(shop.vectors[0]).data)
    with pytest.raises(InferenceError, match="no message of encrypted inference"):
        remote.run(b"junk")
    with pytest.raises(InferenceError, match="larger than the"):
        remote.run(bytes(shop.server.keys_size + 1))
    with pytest.raises(InferenceError, match="is a secret key"):
        remote.send_keys("00" * 16, shop.folder / "a.key")
    other = keys.evaluation_path(shop.folder / "b.key")
    with pytest.raises(InferenceError, match="another key id"):
        remote.send_keys(shop.client.key_id, other)


def test_the_description_names_what_can_be_asked(shop: Shop) -> None:
    described = application(shop.server).openapi()
    assert set(described["paths"]) == {"/offer", "/keys/{key_id}", "/run"}
    body = described["paths"]["/run"]["post"]["requestBody"]
    assert body["content"]["application/octet-stream"]["schema"]["format"] == "binary"
    assert "no secret key" in described["info"]["description"]


def memory_of(process: int) -> Iterator[bytes]:
    """Yield all that a process may read of its own memory, in pieces that overlap by a page."""
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            first, last = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("r") or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            for start in range(first, last, 2**26):
                try:
                    memory.seek(start)
                    yield memory.read(min(last - start, 2**26 + 4096))
                except OSError:  # pages that cannot be read
                    continue


def holds(process: int, forms: list[bytes]) -> list[bool]:
    found = [False] * len(forms)
    for piece in memory_of(process):
        found = [known or form in piece for known, form in zip(found, forms, strict=True)]
    return found


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc to look into a process")
def test_the_process_of_a_server_holds_no_secret_key(tmp_path: Path) -> None:
    """After keys and a request, its memory has the evaluation keys' bytes, and none of the secret key's."""
    shop, home = tmp_path / "shop", tmp_path / "home"
    shop.mkdir()
    home.mkdir()
    vectors = np.random.default_rng(0).normal(size=(5, 8))
    told = gallery_file.save_plain(shop / "g.eyelid", "g", vectors, ())
    key = home / "client.key"
    keys.generate(key, told.artefact, told.demands, PASSPHRASE)
    process = subprocess.Popen(
        [*PROGRAM, "infer", "he", "serve", "g.eyelid", "--port", "0"],
        cwd=shop,
        env={"PATH": os.environ["PATH"], "HOME": str(shop)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        where = process.stdout.readline().split()[-1]
        with Caller(where) as caller:
            remote = Remote(caller)
            client = Client(remote.offer(), keys.read(key, PASSPHRASE))
            remote.send_keys(client.key_id, keys.evaluation_path(key))
            request = client.encrypt(vectors[2])
            assert client.classes(remote.run(request.data), request).tolist() == [2]
            try:
                inside = holds(process.pid, secret_forms(key))
                seen = holds(process.pid, [bytes.fromhex(told.artefact), told.artefact.encode()])
            except PermissionError:
                pytest.skip("this system lets nobody look into a process")
        assert any(seen), "the search finds what is there"
        assert inside == [False] * 4
        assert holds(os.getpid(), secret_forms(key)[:1]) == [True], "and in the client it finds the key"
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=120)
    assert rest == "stopped\n"
    assert process.returncode == 0


def test_requests_over_http_have_one_size(shop: Shop) -> None:
    scheme = shop.offer.demands.scheme
    assert shop.server.request_size == wire.size(scheme, shop.offer.request, wire.Kind.REQUEST)
