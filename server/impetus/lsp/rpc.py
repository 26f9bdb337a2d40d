"""JSON-RPC of one session: pygls' protocol, made strict.

Every request is answered exactly once, malformed, premature and late ones with an error; nothing that a client sends
ends the process. pygls' own handlers stay out (its documents split lines where editors do not, its exit ends the
process): what is not in the table of `server.py` does not exist.
"""

import asyncio
import json
import logging
from concurrent.futures import Future
from inspect import iscoroutinefunction
from typing import Any

import cattrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol

from impetus.errors import EngineStopped
from impetus.lsp import protocol
from impetus.lsp.failures import from_error, malformed, rejected, unexpected

log = logging.getLogger(__name__)

MessageId = int | str


class SessionProtocol(LanguageServerProtocol):
    """Requests are the coroutine functions among the features, notifications the plain ones.

    The handlers of the life cycle set `initialized`, `shut_down` and `exited`.
    """

    def __init__(self, server: Any, converter: cattrs.Converter) -> None:
        self.initialized = False
        self.exited = False
        self._stopped = ""  # why all requests were stopped
        super().__init__(server, converter)

    @property
    def shut_down(self) -> bool:
        return self._shutdown

    def shut(self) -> None:
        """No request is accepted from now on, those being worked on are cancelled, the current one aside."""
        self._shutdown = True
        self.cancel_requests(spare=self.msg_id)

    async def stop_requests(self, reason: str) -> None:
        """Accept no more requests, and answer those being worked on with the reason."""
        self._shutdown = True
        self._stopped = reason
        working: list[Any] = [f for msg_id, f in self._request_futures.items() if msg_id not in self._result_types]
        self.cancel_requests()
        if working:
            await asyncio.wait(working)

    def cancel_requests(self, spare: MessageId | None = None) -> None:
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != spare:
                future.cancel()

    # -- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, body: bytes) -> None:
        """Handle one message, whatever it is."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(None, rejected("The message is not JSON", types.ErrorCodes.ParseError))
            return
        if not isinstance(message, dict):
            self._refuse(None, rejected("The message is not a JSON object; batches are not part of LSP"))
        elif "method" in message and "id" in message:
            self._receive_request(message)
        elif "method" in message:
            self._receive_notification(message)
        elif "id" in message:
            self._receive_response(message)
        else:
            self._refuse(None, rejected("The message has neither a method nor an id"))

    def _receive_request(self, message: dict[str, Any]) -> None:
        msg_id, method = message["id"], message["method"]
        if not _is_id(msg_id):
            self._refuse(None, rejected("The id of a request is neither an integer nor a string"))
            return
        problem = self._problem_of_request(message)
        if problem is not None:
            self._refuse(msg_id, problem)
            return
        if method in protocol.METHODS and not message.get("params"):
            message["params"] = {}  # Lua clients send an empty table as []
        try:
            request = self._converter.structure(message, self._type_of(method))
        except Exception as error:
            self._refuse(msg_id, malformed(method, error))
            return
        self.handle_message(request)

    def _problem_of_request(self, message: dict[str, Any]) -> JsonRpcException | None:
        """Why a request is not even looked at."""
        msg_id, method = message["id"], message["method"]
        if message.get("jsonrpc") != self.VERSION or not isinstance(method, str):
            return rejected("The message is not JSON-RPC 2.0")
        if msg_id in self._request_futures:
            return rejected(f"Another request with the id {msg_id!r} is being worked on")
        if self._shutdown:
            return rejected("The session has been shut down")
        if not self.initialized and method != types.INITIALIZE:
            return rejected("Send initialize first", types.ErrorCodes.ServerNotInitialized)
        if self.initialized and method == types.INITIALIZE:
            return rejected("The session has been initialized already")
        if not iscoroutinefunction(self.fm.features.get(method)):
            return rejected(f"There is no request {method!r}", types.ErrorCodes.MethodNotFound)
        if not isinstance(message.get("params"), dict | list | None):
            return rejected(f"The params of {method} are no object", types.ErrorCodes.InvalidParams)
        return None

    def _receive_notification(self, message: dict[str, Any]) -> None:
        method = message["method"]
        if message.get("jsonrpc") != self.VERSION or not isinstance(method, str):
            log.warning("Ignored a message that is not JSON-RPC 2.0")
            return
        out_of_turn = method != types.EXIT and (self._shutdown or not self.initialized)
        handler = self.fm.features.get(method)
        known = method == types.CANCEL_REQUEST or (handler is not None and not iscoroutinefunction(handler))
        if out_of_turn or not known:
            log.debug("Ignored %s", method)
            return
        try:
            notification = self._converter.structure(message, self._type_of(method))
        except Exception as error:
            log.warning("Ignored a notification: %s", malformed(method, error).message)
            return
        self.handle_message(notification)

    def _receive_response(self, message: dict[str, Any]) -> None:
        """The client's answer to a request of ours. A malformed one fails our request rather than leave it open."""
        msg_id = message["id"]
        result_type = self._result_types.pop(msg_id, None) if _is_id(msg_id) else None
        if result_type is None:
            log.debug("Ignored an answer to no request of ours")
            return
        future = self._request_futures.pop(msg_id)
        if future.done():
            return  # given up meanwhile
        try:
            if message.get("error") is not None:
                error = self._converter.structure(message["error"], types.ResponseError)
                future.set_exception(JsonRpcException(error.message, error.code, error.data))
            else:
                answer = self._converter.structure({"jsonrpc": self.VERSION, **message}, result_type)
                future.set_result(answer.result)
        except Exception as problem:
            future.set_exception(malformed("an answer of the client", problem))

    def _type_of(self, method: str) -> Any:
        return protocol.REQUEST_TYPES.get(method) or self.get_message_type(method)

    def _handle_cancel_notification(self, msg_id: MessageId) -> None:
        """Stop the work; the answer goes out when the handler has ended. Our own requests are not the client's."""
        future = self._request_futures.get(msg_id)
        if future is not None and msg_id not in self._result_types:
            future.cancel()

    # -- what goes out -----------------------------------------------------------------------------------------------

    def _refuse(self, msg_id: MessageId | None, error: JsonRpcException) -> None:
        """JSON-RPC wants the id null, and there, where it could not be read."""
        plain = self._converter.unstructure(error.to_response_error())
        self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "error": plain})

    def _send_handler_result(self, future: "Future[Any] | asyncio.Future[Any]", *, msg_id: MessageId) -> None:
        """Answer a request when its handler is done, however it ended."""
        self._request_futures.pop(msg_id, None)
        if future.cancelled() and self._stopped:
            self._refuse(msg_id, from_error(EngineStopped(self._stopped)))
            return
        if future.cancelled():
            self._refuse(msg_id, rejected("The request was cancelled", types.LSPErrorCodes.RequestCancelled))
            return
        error = future.exception()
        if isinstance(error, JsonRpcException):
            self._refuse(msg_id, error)
        elif error is not None:
            log.error("A request failed", exc_info=error)
            self._refuse(msg_id, unexpected("a request"))
        else:
            self._answer(msg_id, future.result())

    def _answer(self, msg_id: MessageId, result: Any) -> None:
        try:
            plain = self._converter.unstructure(result)
            json.dumps(plain)
        except Exception:
            log.exception("A result cannot be sent")
            self._refuse(msg_id, unexpected("a request"))
        else:
            self._send_response(msg_id, result=plain)

    def _register_builtin_features(self) -> None:
        """None of pygls' own."""


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)
