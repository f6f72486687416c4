"""States as bytes, for the store.

MessagePack maps with defaults left out: a state takes about 300 bytes, and a field that a later version
adds has its default when an older state is read.
"""

from __future__ import annotations

import msgspec

from qsched.errors import StoreError
from qsched.lifecycle.state import State

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)


def encode_state(state: State) -> bytes:
    """The bytes of a state."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> State:
    """The state of some bytes.

    Raises:
        StoreError: If they are no state.
    """
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"a stored job state cannot be read ({error}); restore the store from a backup", lasting=True
        ) from error
