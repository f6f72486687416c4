"""What the parts measure on: circuits, jobs and fleets, the same in every run."""
