"""What is known of other people's exceptions: the table behind ``classify``.

Types without an entry (``Exception``, ``RuntimeError``, …) say nothing about whose fault they
are; there the cause decides.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeAlias

from .faults import FaultClass

__all__ = ["BUILTINS", "THIRD_PARTY", "Rule"]

Rule: TypeAlias = FaultClass | Callable[[BaseException], FaultClass | None]

_DATA, _RESOURCE, _INFRASTRUCTURE = (
    FaultClass.DATA,
    FaultClass.RESOURCE,
    FaultClass.INFRASTRUCTURE,
)
_CONFIGURATION, _BUG, _CANCELLED = FaultClass.CONFIGURATION, FaultClass.BUG, FaultClass.CANCELLED

_BY_ERRNO: dict[int | None, FaultClass] = {
    code: fault
    for fault, codes in {
        _DATA: "ENOENT ENOTDIR EISDIR ENAMETOOLONG EILSEQ ELOOP EFBIG ESPIPE EINVAL",
        _RESOURCE: "ENOSPC EDQUOT EMFILE ENFILE ENOMEM",
        _CONFIGURATION: "EACCES EPERM EROFS EADDRINUSE EADDRNOTAVAIL",
    }.items()
    for name in codes.split()
    if (code := getattr(errno, name, None)) is not None
}


def _os_error(error: BaseException) -> FaultClass:
    return _BY_ERRNO.get(getattr(error, "errno", None), _INFRASTRUCTURE)


def _by_status(error: BaseException) -> FaultClass | None:
    """An HTTP status, where the client library keeps one: RFC 9110, section 15."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "status", None)
    if not isinstance(status, int):
        return None
    if status in {401, 403, 404, 405, 407, 410}:
        return _CONFIGURATION
    if status in {408, 425, 429} or status >= 500:
        return _INFRASTRUCTURE
    return _DATA if status >= 400 else None


def _by_words(
    words: dict[str, FaultClass], otherwise: FaultClass | None
) -> Callable[[BaseException], FaultClass | None]:
    """For libraries that tell their errors apart by text alone."""

    def rule(error: BaseException) -> FaultClass | None:
        text = str(error).casefold()
        return next((fault for word, fault in words.items() if word in text), otherwise)

    return rule


BUILTINS: dict[type[BaseException], Rule] = {
    # cancelled
    KeyboardInterrupt: _CANCELLED,
    SystemExit: _CANCELLED,
    GeneratorExit: _CANCELLED,
    # the machine, and what it talks to
    MemoryError: _RESOURCE,
    OSError: _os_error,
    # the input
    ValueError: _DATA,
    EOFError: _DATA,
    ArithmeticError: _DATA,
    # the set-up
    ImportError: _CONFIGURATION,
    # the code
    AssertionError: _BUG,
    AttributeError: _BUG,
    BufferError: _BUG,
    LookupError: _BUG,
    NameError: _BUG,
    NotImplementedError: _BUG,
    RecursionError: _BUG,
    ReferenceError: _BUG,
    StopAsyncIteration: _BUG,
    StopIteration: _BUG,
    SyntaxError: _BUG,
    SystemError: _BUG,
    TypeError: _BUG,
    ZeroDivisionError: _BUG,
}

_ORT = "onnxruntime.capi.onnxruntime_pybind11_state"

THIRD_PARTY: dict[str, Rule] = {
    # standard library, named by path so that it is not imported here
    "asyncio.exceptions.CancelledError": _CANCELLED,
    "asyncio.exceptions.IncompleteReadError": _INFRASTRUCTURE,
    "asyncio.queues.QueueFull": _RESOURCE,
    "concurrent.futures._base.CancelledError": _CANCELLED,
    "concurrent.futures._base.BrokenExecutor": _INFRASTRUCTURE,
    "configparser.Error": _CONFIGURATION,
    "ctypes.ArgumentError": _BUG,
    "http.client.HTTPException": _INFRASTRUCTURE,
    "pickle.PickleError": _BUG,
    "queue.Full": _RESOURCE,
    "sqlite3.DatabaseError": _by_words({"full": _RESOURCE}, _INFRASTRUCTURE),
    "sqlite3.ProgrammingError": _BUG,
    "struct.error": _DATA,
    "subprocess.SubprocessError": _INFRASTRUCTURE,
    "tomllib.TOMLDecodeError": _CONFIGURATION,
    "wave.Error": _DATA,
    "zlib.error": _DATA,
    # audio and models
    "soundfile.LibsndfileError": _by_words(
        {"internal": _BUG, "psf->": _BUG, "memory": _RESOURCE}, _DATA
    ),
    "soundfile.SoundFileRuntimeError": _BUG,
    f"{_ORT}.NoSuchFile": _CONFIGURATION,
    f"{_ORT}.NoModel": _CONFIGURATION,
    f"{_ORT}.ModelLoaded": _BUG,
    f"{_ORT}.InvalidProtobuf": _CONFIGURATION,
    f"{_ORT}.InvalidGraph": _CONFIGURATION,
    f"{_ORT}.NotImplemented": _CONFIGURATION,
    f"{_ORT}.InvalidArgument": _BUG,
    f"{_ORT}.EngineError": _INFRASTRUCTURE,
    f"{_ORT}.EPFail": _INFRASTRUCTURE,
    f"{_ORT}.Fail": _by_words({"alloc": _RESOURCE, "memory": _RESOURCE}, _INFRASTRUCTURE),
    f"{_ORT}.RuntimeException": _by_words(
        {"alloc": _RESOURCE, "memory": _RESOURCE}, _INFRASTRUCTURE
    ),
    # process pools
    "pebble.common.types.ProcessExpired": _INFRASTRUCTURE,
    # services
    "redis.exceptions.AuthenticationError": _CONFIGURATION,
    "redis.exceptions.AuthorizationError": _CONFIGURATION,
    "redis.exceptions.NoPermissionError": _CONFIGURATION,
    "redis.exceptions.OutOfMemoryError": _RESOURCE,
    "redis.exceptions.MaxConnectionsError": _RESOURCE,
    "redis.exceptions.DataError": _BUG,
    "redis.exceptions.NoScriptError": _INFRASTRUCTURE,
    "redis.exceptions.ReadOnlyError": _INFRASTRUCTURE,
    "redis.exceptions.BusyLoadingError": _INFRASTRUCTURE,
    "redis.exceptions.ResponseError": _by_words({"oom ": _RESOURCE, "misconf": _RESOURCE}, _BUG),
    "redis.exceptions.RedisError": _INFRASTRUCTURE,
    "sentry_sdk.utils.BadDsn": _CONFIGURATION,
    "requests.exceptions.InvalidURL": _CONFIGURATION,
    "requests.exceptions.MissingSchema": _CONFIGURATION,
    "requests.exceptions.InvalidSchema": _CONFIGURATION,
    "requests.exceptions.JSONDecodeError": _DATA,
    "requests.exceptions.HTTPError": _by_status,
    "requests.exceptions.RequestException": _INFRASTRUCTURE,
    "httpx.HTTPStatusError": _by_status,
    "httpx.DecodingError": _DATA,
    "httpx.UnsupportedProtocol": _CONFIGURATION,
    "httpx.InvalidURL": _CONFIGURATION,
    "httpx.HTTPError": _INFRASTRUCTURE,
    "urllib.error.HTTPError": _by_status,
    "urllib3.exceptions.HTTPError": _INFRASTRUCTURE,
}
