"""What was measured on real devices, and what qsched's constants are fitted to."""
