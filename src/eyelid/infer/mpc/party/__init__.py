"""One party, run in SPU's own environment: imports nothing but SPU, jax, numpy and the standard library."""
