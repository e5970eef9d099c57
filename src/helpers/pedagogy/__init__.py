"""Generators raised by a judge and a witness, and others by an adversary, and what becomes of what they draw (seed document 001)."""
