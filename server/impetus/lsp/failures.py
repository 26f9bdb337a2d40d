"""What a client is told when a request fails: our errors mapped once to codes of JSON-RPC and LSP.

Tracebacks go to the log and never to the client.
"""

import re
from typing import Any, Final

import cattrs
from lsprotocol.types import ErrorCodes, LSPErrorCodes
from pygls.exceptions import JsonRpcException

from impetus.errors import BadRequest, Busy, ContextOverflow, EngineStopped, ImpetusError, InsufficientMemory

#: The nearest class along an error's ancestry decides.
CODES: Final[dict[type[ImpetusError], int]] = {
    BadRequest: ErrorCodes.InvalidParams,
    EngineStopped: LSPErrorCodes.ServerCancelled,
    ImpetusError: LSPErrorCodes.RequestFailed,
}


def from_error(error: ImpetusError) -> JsonRpcException:
    code = next(CODES[ancestor] for ancestor in type(error).__mro__ if ancestor in CODES)
    data: dict[str, Any] = {"kind": type(error).__name__}
    if isinstance(error, BadRequest) and error.parameter is not None:
        data["parameter"] = error.parameter
    if isinstance(error, ContextOverflow):
        data |= {"limit": error.limit, "requested": error.requested}
    if isinstance(error, InsufficientMemory):
        data |= {"needed": error.needed, "available": error.available}
    if isinstance(error, Busy):
        data["retryAfter"] = error.retry_after
    return JsonRpcException(str(error), code, data)


def unexpected(method: str) -> JsonRpcException:
    return JsonRpcException(
        f"Impetus failed on {method} for a reason it did not foresee; its log has the details",
        ErrorCodes.InternalError,
    )


def malformed(method: str, error: Exception) -> JsonRpcException:
    """Parameters that do not have the form of docs/protocol.md or of LSP."""
    reasons = cattrs.transform_error(error)
    shown = "; ".join(_as_on_the_wire(reason) for reason in reasons[:3])
    return JsonRpcException(f"Invalid parameters of {method}: {shown}", ErrorCodes.InvalidParams)


def _as_on_the_wire(reason: str) -> str:
    """`… @ $.params.text_document` → `… @ textDocument`"""
    what, at, place = reason.rpartition(" @ ")
    place = place.removeprefix("$.params.").replace("$.params", "params").replace("$", "params")
    return what + at + re.sub(r"_(\w)", lambda match: match[1].upper(), place)


def rejected(message: str, code: int = ErrorCodes.InvalidRequest) -> JsonRpcException:
    return JsonRpcException(message, code)
