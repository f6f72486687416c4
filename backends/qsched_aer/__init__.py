"""The Aer driver: twins of calibrated devices, and an ideal simulator."""

from qsched_aer.driver import AerDriver

__all__ = ["AerDriver"]
