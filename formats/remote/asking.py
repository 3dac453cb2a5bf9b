"""Asks fsspec, and says in a sentence what went wrong: its file systems raise whatever their libraries do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eegzip.formats.errors import BadInputError, EegzipError, OutputError, UsageError


@contextmanager
def asking(url: str, done: str) -> Iterator[None]:
    """Turn what a file system raises into an error that names the URL.

    Parameters
    ----------
    url : str
    done : str
        What can't be done to it: ``read``, ``written``, ``removed``.

    Raises
    ------
    BadInputError
        Where `done` is ``read``.
    OutputError
        Otherwise.
    """
    kind = BadInputError if done == "read" else OutputError
    try:
        yield
    except EegzipError:
        raise
    except FileNotFoundError as error:
        raise kind(f"{url} does not exist; check the name.") from error
    except PermissionError as error:
        raise kind(f"{url} may not be {done} (permission denied); check the credentials of this account.") from error
    except MemoryError:
        raise
    except Exception as error:  # botocore's, aiohttp's, paramiko's...
        what = " ".join(str(error).split())[:200]
        raise kind(f"{url} can't be {done} ({type(error).__name__}{': ' * bool(what)}{what}).") from error


def file_system(url: str) -> tuple[Any, str]:
    """The file system of fsspec that a URL is of, and the path in it.

    Raises
    ------
    UsageError
        fsspec knows no such scheme, or the package that it takes is not installed.
    """
    scheme = url.split("://", 1)[0].lower()
    try:
        import fsspec
        from fsspec.core import url_to_fs
    except ImportError:
        raise UsageError(f"{url} takes a package that is not installed: pip install 'eegzip[remote]'.") from None
    known = fsspec.available_protocols()
    unknown = [part for part in scheme.split("::") if part not in known]
    if unknown:
        raise UsageError(
            f"{url}: nobody knows the scheme '{unknown[0]}://'; there are s3, gs, abfs, https, sftp and others that "
            "fsspec lists."
        )
    try:
        system, path = url_to_fs(url, **_patience(scheme))
    except ImportError as error:
        what = " ".join(str(error).split()).rstrip(".")
        raise UsageError(
            f"{url} takes a package that is not installed ({what}). 'eegzip[remote]' has those of s3:// and https://."
        ) from error
    return system, path


def _patience(scheme: str) -> dict[str, Any]:
    """Options for the web, where a transfer may take longer than aiohttp's five minutes; silence may not."""
    if scheme not in ("http", "https"):
        return {}
    try:
        from aiohttp import ClientTimeout
    except ImportError:
        return {}
    from fsspec.config import conf

    stated = conf.get(scheme, {}).get("client_kwargs", {})
    return {"client_kwargs": {"timeout": ClientTimeout(total=None, sock_connect=30, sock_read=60), **stated}}
