"""Saving and loading calibrations; the format itself belongs to the type, so that drivers can read it too."""

from qsched.api.calibration_file import SUFFIX, dumps, load_calibration, loads, save_calibration

__all__ = ["SUFFIX", "dumps", "load_calibration", "loads", "save_calibration"]
