"""The IBM driver: devices of IBM Quantum, through IBM's own client."""

from qsched_ibm.driver import IbmDriver

__all__ = ["IbmDriver"]
