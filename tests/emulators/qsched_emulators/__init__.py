"""What stands in for the clouds where there is no account: servers that speak their wire formats.

Behind each stands a ``Cloud``: devices with queues, whose tasks run on Aer twins, so that results are real.
``qsched emulator NAME`` starts one for people, ``control.Emulator`` for tests. Nothing here is meant for
production, and nothing in qsched depends on it.
"""
