"""The package behind *Representations Under Constraint*: what is heavy or shared; the argument is in the notebooks."""

__version__ = "0.1.0"
