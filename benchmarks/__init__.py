"""The benchmark harness: ``python -m benchmarks NAME`` runs one part, without a name all of them."""
