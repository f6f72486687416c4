"""The commands, thin: each reads its input, calls the SDK or the store, and renders what came back.

What a command needs is imported when it runs, so that ``qsched get`` does not pay for ``qsched run``.
"""
