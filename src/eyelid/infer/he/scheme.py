"""What both sides agree on before anything is encrypted: CKKS at 128 bits, and SEAL's context of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from eyelid.errors import InputError
from eyelid.models.extras import require

if TYPE_CHECKING:
    import seal


class Scheme(BaseModel):
    """CKKS over ``degree`` coefficients with the primes ``moduli``, the last of which only keys use.

    Raises InputError where Microsoft SEAL finds less than 128 bits of security (the homomorphic encryption
    standard's table for ternary secrets), or primes that do not fit the degree.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    degree: int = Field(ge=1024, le=65536)
    moduli: tuple[int, ...] = Field(min_length=2, max_length=64)

    @property
    def slots(self) -> int:
        """How many real numbers one ciphertext holds."""
        return self.degree // 2

    @property
    def context(self) -> seal.SEALContext:
        """SEAL's context, made once."""
        return _context(self)


class Demands(BaseModel):
    """What keys must be able to do for one artefact: rotate by ``rotations`` slots, relinearise products."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: Scheme
    rotations: tuple[int, ...] = Field(default=(), max_length=4096)
    relinearise: bool = False

    def elements(self) -> tuple[int, ...]:
        """Return the rotations' Galois elements 3**step mod 2N, in ascending order (SEAL, GaloisTool)."""
        double = 2 * self.scheme.degree
        return tuple(sorted({pow(3, step % self.scheme.slots, double) for step in self.rotations}))


@lru_cache(maxsize=8)
def _context(scheme: Scheme) -> seal.SEALContext:
    require("homomorphic encryption", "he", "seal")
    import seal

    parameters = seal.EncryptionParameters(seal.scheme_type.ckks)
    try:
        parameters.set_poly_modulus_degree(scheme.degree)
        parameters.set_coeff_modulus([seal.Modulus(value) for value in scheme.moduli])
        context = seal.SEALContext(parameters, True, seal.sec_level_type.tc128)
    except (ValueError, RuntimeError, TypeError, OverflowError) as error:
        raise InputError(f"these parameters are none of CKKS ({error}); compile the model again") from error
    if not context.parameters_set():
        raise InputError(
            f"these parameters are refused ({context.parameter_error_message()}); compile the model again"
        )
    return context
