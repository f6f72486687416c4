"""Circuits: reading them within limits, their profile, and their preparation for a device."""
