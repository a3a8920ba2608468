"""The server: it computes on ciphertexts with evaluation keys, and there is no secret key in its process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from eyelid.errors import InferenceError, InputError
from eyelid.infer.he import blob, evaluation_keys, keys, wire
from eyelid.infer.he.wire import Kind

if TYPE_CHECKING:
    from eyelid.infer.he.contract import Program
    from eyelid.infer.he.evaluation_keys import EvaluationKeys
    from eyelid.infer.he.scheme import Scheme

MAX_KEYS = 8
KEEP_S = 24 * 3600.0


class KeyStore:
    """Evaluation keys of clients, in memory: the most recently used ``most``, each for ``keep`` seconds."""

    def __init__(self, most: int = MAX_KEYS, keep: float = KEEP_S) -> None:
        self._most, self._keep = most, keep
        self._held: OrderedDict[str, tuple[float, EvaluationKeys]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, found: EvaluationKeys) -> None:
        """Hold keys; the longest unused go when there are too many."""
        with self._lock:
            self._held[found.key_id] = (time.monotonic() + self._keep, found)
            self._held.move_to_end(found.key_id)
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def get(self, key_id: str) -> EvaluationKeys | None:
        """Return keys that are held and have not expired."""
        with self._lock:
            ends, found = self._held.get(key_id, (0.0, None))
            if found is None or time.monotonic() >= ends:
                self._held.pop(key_id, None)
                return None
            self._held.move_to_end(key_id)
            return found


class Server:
    """Runs one artefact on requests as bytes; it never has a secret key, and refuses bytes that hold one."""

    def __init__(self, program: Program, store: KeyStore | None = None) -> None:
        self.program = program
        self.offer = program.offer
        self._store = KeyStore() if store is None else store
        self._turn = threading.Lock()

    @property
    def request_size(self) -> int:
        """The bytes of every request."""
        return wire.size(self.offer.demands.scheme, self.offer.request, Kind.REQUEST)

    @property
    def keys_size(self) -> int:
        """The bytes of evaluation keys, at most."""
        return evaluation_keys.max_size(self.offer.demands)

    def knows(self, key_id: str) -> bool:
        """Return whether a client's keys are here."""
        return self._store.get(key_id) is not None

    def add_keys(self, data: bytes | bytearray, key_id: str | None = None) -> str:
        """Take a client's evaluation keys; return their id. Raises InputError, InferenceError (expired)."""
        refuse_secret(data, "what was sent as evaluation keys", self.offer.demands.scheme)
        found = evaluation_keys.read(data, self.offer.demands, key_id)
        self._store.put(found)
        return found.key_id

    def run(self, request: bytes) -> bytes:
        """Return the response to a request: both are ciphertexts. Raises InputError and InferenceError."""
        key_id = wire.key_id_of(request)
        held = self._store.get(key_id)
        if held is None:
            raise InferenceError(f"the evaluation keys of key {key_id} are not here; send them first")
        held.check_time()
        message = wire.read(request, self.offer, Kind.REQUEST)
        with self._turn:
            try:
                outputs = self.program.run(message.ciphertexts, held)
            except (RuntimeError, ValueError) as error:  # what SEAL raises
                raise InferenceError(
                    f"the artefact cannot compute on this request ({type(error).__name__}); encrypt it anew"
                ) from error
        return wire.write_response(self.offer, key_id, message.request_id, outputs)


def refuse_secret(data: bytes | bytearray, what: str, scheme: Scheme) -> None:
    """Raise InputError if bytes hold a secret key: eyelid's sealed one, or SEAL's own of this scheme.

    SEAL writes a secret key as a plaintext at the level of keys, with all coefficients of all its primes.
    """
    if keys.MAGIC in data[: len(keys.MAGIC)]:
        raise InputError(f"{what} is a secret key; keep it to yourself and give NAME.eval instead")
    count = scheme.degree * len(scheme.moduli)
    if blob.parms_id(scheme, len(scheme.moduli)) + count.to_bytes(8, "little") in data:
        raise InputError(f"{what} holds a secret key of SEAL; remove it before you give it to a server")
