"""What is sent is half the size, packed to its bits, and decrypts and computes as SEAL's own objects do."""

from __future__ import annotations

import numpy as np
import pytest
import seal
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import InputError
from eyelid.infer.he import blob, seeded
from eyelid.infer.he.residues import difference, pack, packed_size, shift_by_product, unpack
from eyelid.infer.he.scheme import Scheme

DEGREE = 4096
SCHEME = Scheme(
    degree=DEGREE, moduli=tuple(prime.value() for prime in seal.CoeffModulus.Create(DEGREE, [40, 28, 40]))
)
SCALE = 2.0**28


class World:
    """A secret key of SEAL's and what works with it."""

    def __init__(self) -> None:
        self.context = SCHEME.context
        self.generator = seal.KeyGenerator(self.context)
        self.key = self.generator.secret_key()
        self.secret = blob.secret_residues(self.key, SCHEME)
        self.encoder = seal.CKKSEncoder(self.context)
        self.encryptor = seal.Encryptor(self.context, self.key)
        self.decryptor = seal.Decryptor(self.context, self.key)

    def encrypt(self, values: np.ndarray) -> seal.Ciphertext:
        plain = self.encoder.encode(np.ascontiguousarray(values, np.float64), SCALE)
        return self.encryptor.encrypt_symmetric(plain)

    def decrypt(self, ciphertext: seal.Ciphertext) -> np.ndarray:
        return np.asarray(self.encoder.decode(self.decryptor.decrypt(ciphertext)))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


VALUES = np.random.default_rng(0).normal(size=SCHEME.slots)
BIG = (2**60 - 93, 2**61 - 1, 268369921, 3)


@settings(max_examples=50)
@given(st.data())
def test_products_are_those_of_python(data: st.DataObject) -> None:
    rows = st.tuples(*(st.lists(st.integers(0, m - 1), min_size=3, max_size=3) for m in BIG))
    first, second, third = (np.array(data.draw(rows), np.uint64) for _ in range(3))
    moved = shift_by_product(first, second, third, BIG)
    apart = difference(first, second, BIG)
    for row, modulus in enumerate(BIG):
        triples = zip(*(part[row].tolist() for part in (first, second, third)), strict=True)
        for place, (a, b, c) in enumerate(triples):
            assert int(moved[row, place]) == (a + b * c) % modulus
            assert int(apart[row, place]) == (a - b) % modulus


@settings(max_examples=50)
@given(st.integers(2, 61), st.data())
def test_packing_loses_nothing_and_always_takes_the_same_size(bits: int, data: st.DataObject) -> None:
    modulus = data.draw(st.integers(2 ** (bits - 1), 2**bits - 1))
    row = data.draw(st.lists(st.integers(0, modulus - 1), min_size=64, max_size=64))
    residues = np.array([row], np.uint64)
    packed = pack(residues, [modulus])
    assert len(packed) == packed_size(64, [modulus]) == 8 * bits
    assert np.array_equal(unpack(packed, 64, [modulus]), residues)


def test_what_is_no_residue_is_refused() -> None:
    with pytest.raises(InputError, match="none of its ring"):
        unpack(b"\xff" * 16, 64, [2])
    for size in (0, 7, 9):
        with pytest.raises(InputError, match="cut off or too long"):
            unpack(bytes(size), 64, [1])


def test_a_reseeded_ciphertext_has_the_same_message_and_noise(world: World) -> None:
    ciphertext = world.encrypt(VALUES)
    short, scale = seeded.reseed(ciphertext, world.secret, SCHEME)
    sent = pack(short.first, SCHEME.moduli[:-1])
    assert len(sent) + len(short.seed) < 0.3 * len(ciphertext.to_string())
    parts = blob.Parts(unpack(sent, DEGREE, SCHEME.moduli[:-1])[None], scale)
    back = blob.build(SCHEME, parts, short.seed)
    assert np.array_equal(world.decrypt(back), world.decrypt(ciphertext))
    polynomials = blob.take_apart(back).polynomials
    assert not np.any(polynomials == blob.take_apart(ciphertext).polynomials, axis=(1, 2)).all()


def test_the_random_half_of_two_encryptions_differs(world: World) -> None:
    one, _ = seeded.reseed(world.encrypt(VALUES), world.secret, SCHEME)
    two, _ = seeded.reseed(world.encrypt(VALUES), world.secret, SCHEME)
    assert one.seed != two.seed
    assert np.mean(one.first == two.first) < 0.01


def test_a_ciphertext_is_rebuilt_from_its_parts(world: World) -> None:
    ciphertext = world.encrypt(VALUES)
    again = blob.build(SCHEME, blob.take_apart(ciphertext))
    assert np.array_equal(world.decrypt(again), world.decrypt(ciphertext))


def test_reseeded_keys_rotate_and_relinearise(world: World) -> None:
    galois, steps = seal.GaloisKeys(), [1, 5, -3]
    world.generator.create_galois_keys(steps, galois)
    relin = world.generator.create_relin_keys()
    short = seeded.reseed_keys(galois, world.secret, SCHEME)
    again = seeded.load_galois(SCHEME, short)
    relin_again = seeded.load_relin(SCHEME, seeded.reseed_keys(relin, world.secret, SCHEME))
    assert again.to_string() != galois.to_string()
    evaluator = seal.Evaluator(world.context)
    for step in steps:
        turned = world.decrypt(evaluator.rotate_vector(world.encrypt(VALUES), step, again))
        assert np.abs(turned - np.roll(VALUES, -step)).max() < 0.01
    square = evaluator.square(world.encrypt(VALUES))
    evaluator.relinearize_inplace(square, relin_again)
    assert np.abs(world.decrypt(square) - VALUES**2).max() < 0.01


def test_levels_that_do_not_exist_and_weak_parameters_are_refused() -> None:
    with pytest.raises(InputError, match="no such level"):
        blob.parms_id(SCHEME, 9)
    weak = Scheme(degree=1024, moduli=SCHEME.moduli)
    with pytest.raises(InputError, match="refused"):
        _ = weak.context
    with pytest.raises(InputError, match="compile the model again"):
        _ = Scheme(degree=4096, moduli=(15, 21)).context
