"""The version of qsched, which every result carries."""

VERSION = "0.1.0"
