"""Benchmarks, stress tests and release training, run from the root of the repository."""
