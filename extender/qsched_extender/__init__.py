"""The scheduler extender of Kubernetes (a later issue)."""
