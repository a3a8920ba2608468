"""Inference on encrypted images: homomorphic encryption (CKKS) with Microsoft SEAL."""
