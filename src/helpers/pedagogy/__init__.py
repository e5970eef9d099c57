"""Generators raised by a judge and a witness, others by an adversary, and what becomes of their drawings (seed 001)."""
