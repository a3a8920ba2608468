"""A client and a server: right answers, nothing readable without the key, and what is foreign is refused."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import InferenceError, InputError
from eyelid.infer.he import evaluation_keys, keys
from eyelid.infer.he.client import Client, Request
from eyelid.infer.he.contract import Program
from eyelid.infer.he.server import KeyStore, Server, refuse_secret
from tests.infer.he.conftest import DIMENSIONS, PASSPHRASE, VECTORS, Shop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import seal

    from eyelid.infer.he.evaluation_keys import EvaluationKeys
    from eyelid.infer.he.gallery import GalleryOffer


def ask(shop: Shop, probe: np.ndarray) -> np.ndarray:
    request = shop.client.encrypt(probe)
    return np.asarray(shop.client.decrypt(shop.server.run(request.data), request, exact=True)[0])


def test_the_answer_is_right_and_rounded_unless_asked_otherwise(shop: Shop) -> None:
    request = shop.client.encrypt(shop.vectors[5])
    response = shop.server.run(request.data)
    exact = shop.client.decrypt(response, request, exact=True)[0]
    rounded = shop.client.decrypt(response, request)[0]
    assert np.abs(exact - shop.vectors @ shop.vectors[5]).max() < 1e-3
    assert np.array_equal(rounded * 128, np.round(exact * 128))
    assert shop.client.classes(response, request).tolist() == [5]


def test_decrypt_tells_why_it_rounds() -> None:
    assert "IND-CPA-D" in (Client.decrypt.__doc__ or "")


def test_arrays_that_are_not_contiguous_are_encrypted_right(shop: Shop) -> None:
    wide = np.zeros((DIMENSIONS, 7))
    wide[:, 3] = shop.vectors[5]
    for probe in (wide[:, 3], np.asfortranarray(wide)[:, 3], shop.vectors[5][::-1].copy()[::-1]):
        assert np.abs(ask(shop, probe) - shop.vectors @ shop.vectors[5]).max() < 1e-3


def test_slots_that_are_not_contiguous_are_encrypted_right(shop: Shop) -> None:
    slots, _ = shop.offer.pack(shop.vectors[5])
    wide = np.zeros((slots.shape[1], 3))
    wide[:, 1] = slots[0]
    request = shop.client.encrypt_slots(wide[:, 1:2].T)
    exact = shop.client.decrypt(shop.server.run(request.data), request, exact=True)[0]
    assert np.abs(exact - shop.vectors @ shop.vectors[5]).max() < 1e-3


def test_two_encryptions_of_one_probe_differ_everywhere_and_have_one_size(shop: Shop) -> None:
    one, two = (np.frombuffer(shop.client.encrypt(shop.vectors[0]).data, np.uint8) for _ in range(2))
    assert one.size == two.size
    payload = slice(128, -32)
    assert np.mean(one[payload] == two[payload]) < 0.02  # 1 in 256 by chance
    sizes = {len(shop.client.encrypt(probe).data) for probe in [*shop.vectors, np.eye(DIMENSIONS)[0]]}
    assert sizes == {one.size} == {shop.server.request_size}


def test_all_responses_have_one_size(shop: Shop) -> None:
    assert len({len(shop.server.run(shop.client.encrypt(v).data)) for v in shop.vectors[:5]}) == 1


def test_a_wrong_key_reads_nothing(shop: Shop) -> None:
    """Whoever decrypts with another key names the right vector as often as by chance: 1 in 40."""
    stolen = Client(shop.offer, dataclasses.replace(shop.client._secret, key=shop.other._secret.key))
    right, sizes = 0, []
    for place in range(VECTORS):
        request = shop.client.encrypt(shop.vectors[place])
        response = shop.server.run(request.data)
        right += int(stolen.classes(response, request)[0]) == place
        sizes.append(np.median(np.abs(stolen.decrypt(response, request, exact=True))))
    assert right <= 6  # more has a probability below 1e-4 by chance
    assert min(sizes) > 10  # numbers that no similarity has


def test_keys_that_the_server_does_not_have(shop: Shop) -> None:
    fresh = Server(shop.server.program)
    with pytest.raises(InferenceError, match="send them first"):
        fresh.run(shop.client.encrypt(shop.vectors[0]).data)
    assert not fresh.knows(shop.client.key_id)


def test_an_answer_for_another_key_or_request_is_refused(shop: Shop) -> None:
    request = shop.client.encrypt(shop.vectors[0])
    response = shop.server.run(request.data)
    with pytest.raises(InferenceError, match="another request"):
        shop.client.decrypt(response, shop.client.encrypt(shop.vectors[0]))
    with pytest.raises(InferenceError, match=f"under key {shop.client.key_id}, not {shop.other.key_id}"):
        shop.other.decrypt(response, request)


def test_a_key_for_another_artefact_is_refused(shop: Shop, tmp_path: Path) -> None:
    keys.generate(tmp_path / "k", "00" * 32, shop.offer.demands, PASSPHRASE)
    with pytest.raises(InferenceError, match="is for artefact 0000000000000000, the server has abab"):
        Client(shop.offer, keys.read(tmp_path / "k", PASSPHRASE))


@pytest.mark.parametrize(
    ("probe", "sentence"),
    [
        (np.full(DIMENSIONS, np.nan), "not finite"),
        (np.full(DIMENSIONS, np.inf), "not finite"),
        (np.zeros(DIMENSIONS), "zero in all values"),
        (np.ones(DIMENSIONS + 1), "has 16 values, not 17"),
    ],
)
def test_probes_that_are_none(shop: Shop, probe: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        shop.client.encrypt(probe)


def test_slots_that_do_not_fit(shop: Shop) -> None:
    with pytest.raises(InputError, match="numbers, not"):
        shop.client.encrypt_slots(np.zeros((1, 5)))
    with pytest.raises(InputError, match="not all finite"):
        shop.client.encrypt_slots(np.full((1, shop.offer.demands.scheme.slots), np.nan))


def test_a_secret_key_is_refused_wherever_it_is_given(shop: Shop) -> None:
    sealed = (shop.folder / "a.key").read_bytes()
    with pytest.raises(InputError, match="is a secret key"):
        shop.server.add_keys(sealed)
    raw = shop.client._secret.key.to_string()
    for hidden in (raw, b"PK\x03\x04 context with " + raw + b" in it"):
        with pytest.raises(InputError, match="holds a secret key"):
            refuse_secret(hidden, "x", shop.offer.demands.scheme)
    refuse_secret(keys.evaluation_path(shop.folder / "a.key").read_bytes(), "x", shop.offer.demands.scheme)


def held(store: KeyStore) -> list[str]:
    return [key_id for key_id in ("a", "b", "c") if store.get(key_id) is not None]


def named(shop: Shop, name: str) -> EvaluationKeys:
    data = keys.evaluation_path(shop.folder / "a.key").read_bytes()
    return dataclasses.replace(evaluation_keys.read(data, shop.offer.demands), key_id=name)


def test_the_store_keeps_what_was_used_last(shop: Shop) -> None:
    store = KeyStore(most=2)
    store.put(named(shop, "a"))
    store.put(named(shop, "b"))
    assert store.get("a") is not None
    store.put(named(shop, "c"))
    assert held(store) == ["a", "c"]


def test_the_store_forgets_in_time(shop: Shop) -> None:
    store = KeyStore(keep=0.0)
    store.put(named(shop, "a"))
    assert held(store) == []


class _Broken(Program):
    """Computes what it does not offer, or what SEAL refuses."""

    def __init__(self, told: GalleryOffer, *, raises: bool) -> None:
        self._told, self._raises = told, raises

    @property
    def offer(self) -> GalleryOffer:
        return self._told

    def run(self, inputs: Sequence[seal.Ciphertext], keys: EvaluationKeys) -> list[seal.Ciphertext]:
        if self._raises:
            raise RuntimeError("result ciphertext is transparent")
        return []


@pytest.mark.parametrize("raises", [True, False])
def test_a_program_that_fails_is_one_sentence(shop: Shop, raises: bool) -> None:
    server = Server(_Broken(shop.offer, raises=raises))
    server.add_keys(keys.evaluation_path(shop.folder / "a.key").read_bytes())
    with pytest.raises(InferenceError, match=r"cannot compute on this|something else than it offers"):
        server.run(shop.client.encrypt(shop.vectors[0]).data)


def test_requests_show_nothing(shop: Shop) -> None:
    assert isinstance(request := shop.client.encrypt(shop.vectors[0]), Request)
    assert shop.vectors[0].tobytes()[:8] not in request.data
    assert shop.vectors[0].astype(np.float32).tobytes()[:8] not in request.data
