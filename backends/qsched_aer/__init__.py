"""The Aer driver: twins of calibrated devices, and an ideal simulator."""
