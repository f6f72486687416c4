"""Fleets: calibrations, what they are worth, the columnar snapshot, and predictions of queue waits."""
