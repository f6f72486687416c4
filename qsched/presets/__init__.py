"""What is published of known devices, as data with sources: calibration figures and prices."""
