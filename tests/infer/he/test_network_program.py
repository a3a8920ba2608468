"""A compiled network behind the service: its answers are those in the clear, and nothing without the key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import InputError
from eyelid.infer import onnx_reader
from eyelid.infer.he import keys, programs
from eyelid.infer.he.artefact import Target
from eyelid.infer.he.client import Client
from eyelid.infer.he.compile import compile as compile_network
from eyelid.infer.he.contract import UncalibratedError
from eyelid.infer.he.network_program import NetworkOffer, offer
from eyelid.infer.he.server import Server
from tests.infer.he.conftest import PASSPHRASE

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.infer.network import Network
    from tests.infer.conftest import Digits


@dataclass(frozen=True)
class Desk:
    network: Network
    artefact: bytes
    server: Server
    client: Client[NetworkOffer]
    thief: Client[NetworkOffer]
    """Has another secret key, and says that it is the client's."""
    key: Path


@pytest.fixture(scope="module")
def desk(
    tutorial_onnx: Path, digits: Digits, tmp_path_factory: pytest.TempPathFactory, cheap_guesses: None
) -> Desk:
    folder = tmp_path_factory.mktemp("network")
    network = onnx_reader.read(tutorial_onnx)
    path = folder / "server.eyelid"
    path.write_bytes(compile_network(network, digits.train_images[:200]).save())
    server = Server(programs.load(path))
    told = server.offer
    assert isinstance(told, NetworkOffer)
    for name in ("client.key", "thief.key"):
        keys.generate(folder / name, told.artefact, told.demands, PASSPHRASE)
    server.add_keys(keys.evaluation_path(folder / "client.key").read_bytes())
    mine, other = (keys.read(folder / name, PASSPHRASE) for name in ("client.key", "thief.key"))
    thief = Client(told, replace(mine, key=other.key))
    return Desk(network, path.read_bytes(), server, Client(told, mine), thief, folder / "client.key")


def test_answers_are_those_of_the_network(desk: Desk, digits: Digits) -> None:
    images = digits.test_images[:20]
    expected = desk.network.run(images)
    for image, logits in zip(images, expected, strict=True):
        request = desk.client.encrypt(image[None])
        response = desk.server.run(request.data)
        assert desk.client.classes(response, request)[0] == logits.argmax()
        exact = desk.client.decrypt(response, request, exact=True)[0]
        step = desk.server.offer.rounding
        assert np.abs(exact - logits).max() < step / 2
        rounded = desk.client.decrypt(response, request)[0]
        assert np.array_equal(rounded, np.round(exact / step) * step)


@pytest.mark.slow
def test_a_thousand_images_agree(desk: Desk, digits: Digits) -> None:
    images = np.concatenate([digits.test_images, digits.train_images])[:1000]
    expected = desk.network.run(images).argmax(axis=1)
    found = []
    for image in images:
        request = desk.client.encrypt(image[None])
        found.append(int(desk.client.classes(desk.server.run(request.data), request)[0]))
    assert np.mean(np.array(found) == expected) >= 0.995


def test_sizes(desk: Desk, digits: Digits) -> None:
    """At most 0.5 MB an image and 60 MB of evaluation keys, and the same for every image."""
    black, white = np.zeros((1, 1, 28, 28)), np.ones((1, 1, 28, 28))
    requests = [desk.client.encrypt(image) for image in (black, white, digits.test_images[:1])]
    assert {len(request.data) for request in requests} == {desk.server.request_size}
    assert desk.server.request_size <= 500_000
    assert keys.evaluation_path(desk.key).stat().st_size <= 60_000_000
    assert len({len(desk.server.run(request.data)) for request in requests}) == 1


def test_a_wrong_key_reads_at_chance(desk: Desk, digits: Digits) -> None:
    right = 0
    for image, label in zip(digits.test_images[:40], digits.test_labels[:40], strict=True):
        request = desk.client.encrypt(image[None])
        response = desk.server.run(request.data)
        with pytest.raises(UncalibratedError):
            desk.thief.classes(response, request)
        scores = desk.thief.offer.unpack(desk.thief.decrypt_slots(response, request), 1)
        right += int(scores.argmax()) == label
    assert right <= 12  # of 40, by chance 4; more has a probability of 1e-4


def test_images_that_are_not_contiguous(desk: Desk, digits: Digits) -> None:
    image = digits.test_images[:1]
    turned = np.ascontiguousarray(image.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2)
    flipped = np.ascontiguousarray(image[..., ::-1])[..., ::-1]
    wide = np.zeros((1, 1, 28, 56), np.float32)
    wide[..., ::2] = image
    for odd in (turned, flipped, wide[..., ::2]):
        assert np.array_equal(odd, image)
        request = desk.client.encrypt(odd)
        exact = desk.client.decrypt(desk.server.run(request.data), request, exact=True)
        assert np.abs(exact - desk.network.run(image)).max() < 0.2


def test_images_that_do_not_fit(desk: Desk) -> None:
    with pytest.raises(InputError, match="not all finite"):
        desk.client.encrypt(np.full((1, 1, 28, 28), np.nan))
    for shape in ((1, 1, 28, 27), (2, 1, 28, 28), (0, 1, 28, 28)):
        with pytest.raises(InputError):
            desk.client.encrypt(np.zeros(shape))


def test_the_artefact_has_no_secret_and_clients_are_told_no_weights(desk: Desk) -> None:
    from tests.infer.he.test_keys import secret_forms

    assert all(form not in desk.artefact for form in secret_forms(desk.key))
    assert desk.server.offer.artefact == hashlib.sha256(desk.artefact).hexdigest()
    told = desk.server.offer.model_dump_json()
    assert len(told) < 3000
    assert "conv" not in told.lower()
    assert programs.parse_offer(told.encode()) == desk.server.offer


def test_thousands_of_images_at_once(small_digits: Digits, tmp_path: Path, cheap_guesses: None) -> None:
    """The throughput mode takes any number of images up to its slots, in requests of one size."""
    from eyelid.infer.network import Flatten, Linear, Network, Node, Square

    random = np.random.default_rng(0)
    nodes = (
        Node("flatten", Flatten(), ("input",), (64,)),
        Node("fc1", Linear(random.normal(size=(4, 64)) / 8, np.zeros(4)), ("flatten",), (4,)),
        Node("square", Square(), ("fc1",), (4,)),
        Node("fc2", Linear(random.normal(size=(3, 4)), np.ones(3)), ("square",), (3,)),
    )
    network = Network((1, 8, 8), nodes, "0" * 64)
    artefact = compile_network(network, small_digits.train_images[:50], Target.THROUGHPUT)
    told = offer(artefact, "x", "0" * 64)
    path = tmp_path / "server.eyelid"
    path.write_bytes(artefact.save())
    server = Server(programs.load(path))
    keys.generate(tmp_path / "k", server.offer.artefact, server.offer.demands, PASSPHRASE)
    server.add_keys(keys.evaluation_path(tmp_path / "k").read_bytes())
    client = Client(server.offer, keys.read(tmp_path / "k", PASSPHRASE))
    assert told.request == server.offer.request
    for count in (1, 300):
        images = small_digits.test_images[:count]
        request = client.encrypt(images)
        assert len(request.data) == server.request_size
        exact = client.decrypt(server.run(request.data), request, exact=True)
        assert exact.shape == (len(images), 3)
        assert np.abs(exact - network.run(images)).max() < 0.05


@pytest.mark.parametrize("target", list(Target))
def test_images_out_of_the_calibrated_range_have_no_scores(
    target: Target, small_digits: Digits, tmp_path: Path, cheap_guesses: None
) -> None:
    """Calibrated on images of a tenth of the light: those are answered, the others named and refused."""
    from eyelid.infer.network import Flatten, Linear, Network, Node, Square

    random = np.random.default_rng(0)
    nodes = (
        Node("flatten", Flatten(), ("input",), (64,)),
        Node("fc1", Linear(random.normal(size=(4, 64)) / 8, np.zeros(4)), ("flatten",), (4,)),
        Node("square", Square(), ("fc1",), (4,)),
        Node("fc2", Linear(random.normal(size=(3, 4)), np.zeros(3)), ("square",), (3,)),
    )
    network = Network((1, 8, 8), nodes, "0" * 64)
    dim = small_digits.train_images[:50] / 10
    path = tmp_path / "server.eyelid"
    path.write_bytes(compile_network(network, dim, target).save())
    server = Server(programs.load(path))
    keys.generate(tmp_path / "k", server.offer.artefact, server.offer.demands, PASSPHRASE)
    server.add_keys(keys.evaluation_path(tmp_path / "k").read_bytes())
    client = Client(server.offer, keys.read(tmp_path / "k", PASSPHRASE))
    for image in dim[:3]:
        request = client.encrypt(image[None])
        assert client.classes(server.run(request.data), request)[0] == network.run(image[None]).argmax()
    for light in (10, 30, 100):  # from scores that are too large to values that wrap around
        request = client.encrypt(dim[:1] * light)
        with pytest.raises(UncalibratedError, match="image 1 of the request"):
            client.decrypt(server.run(request.data), request)
