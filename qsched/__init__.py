"""qsched: a scheduler for hybrid quantum-classical work."""

__version__ = "0.1.0"
