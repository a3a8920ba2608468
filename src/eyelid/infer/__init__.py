"""Inference without seeing the image: homomorphic encryption, multi-party computation, enclaves."""
