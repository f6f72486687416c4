"""Object stores (S3, Google Cloud Storage, Azure) behind fsspec, by one library for all of them: obstore."""

from __future__ import annotations

import functools
import importlib.util
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

OBJECT_STORES = frozenset({"s3", "gs", "az", "abfs"})


def filesystem_of(uri: str) -> tuple[AbstractFileSystem, str]:
    """The filesystem that a URI is on, and its path there.

    Raises:
        ValueError: If no library knows its scheme.
        ImportError: If the library for its scheme is not installed.
    """
    from fsspec.core import url_to_fs  # slow to import, and not needed for files of this machine

    prepare(uri.partition("://")[0])
    return cast("tuple[AbstractFileSystem, str]", url_to_fs(uri))


@functools.cache
def prepare(scheme: str) -> None:
    """See that URIs of a scheme can be opened; no connection is made.

    Raises:
        ValueError: If no library knows the scheme.
        ImportError: If the library for it is not installed.
    """
    from fsspec import get_filesystem_class

    if scheme in OBJECT_STORES and importlib.util.find_spec("obstore") is not None:
        from obstore.fsspec import register

        register(scheme)
    try:
        get_filesystem_class(scheme)
    except ImportError as error:
        if scheme in OBJECT_STORES:
            raise ImportError("obstore is not installed; install qsched[stores]") from error
        raise
