"""The declared types: the one source of manifests, CRDs and statuses."""
