"""The HTTP port around a scripted session: in process, or on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx

from impetus.config import Settings, resolve
from impetus.domain.keys import ApiKey, KeyEvent, Role
from impetus.services.keys import Keys
from impetus.web.app import create_app
from impetus.web.port import base_url, bind
from impetus.web.server import HttpServer
from tests.support.scripted_session import Script, ScriptedEngine, ScriptedSession


class MemoryKeyStore:
    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._events: list[KeyEvent] = []

    def add(self, key: ApiKey) -> None:
        self._keys[key.id] = key
        self._note(key.created, "created", key)

    def all(self) -> list[ApiKey]:
        return sorted(self._keys.values(), key=lambda key: (key.created, key.id))

    def remove(self, key_id: str, at: float) -> bool:
        key = self._keys.pop(key_id, None)
        if key is not None:
            self._note(at, "revoked", key)
        return key is not None

    def events(self) -> list[KeyEvent]:
        return self._events[::-1]

    def _note(self, at: float, action: Literal["created", "revoked"], key: ApiKey) -> None:
        self._events.append(KeyEvent(len(self._events) + 1, at, action, key.id, key.name, key.role))


class Port:
    """One port: its session, its keys, a key that works."""

    def __init__(self, script: Script | None = None, role: Role = "admin", **http: Any) -> None:
        self.settings: Settings = resolve({"http": {"port": 0, **http}})[0]
        self.session = ScriptedSession(ScriptedEngine(script or Script(), self.settings))
        self.keys = Keys(MemoryKeyStore())
        self.key = self.keys.create("test", role).secret

    def client(self, **headers: str) -> httpx.AsyncClient:
        app = create_app(self.session, self.settings, self.keys)  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        return httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers={"authorization": f"Bearer {self.key}", **headers}
        )

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """The base URL of the port on a real socket."""
        bound = bind(self.settings.http)
        server = HttpServer(self.session, self.settings, self.keys)  # type: ignore[arg-type]
        task = asyncio.create_task(server.serve(bound))
        try:
            yield base_url(bound)  # it listens already: a request sent now waits a moment and is answered
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            bound.close()


async def send(
    url: str, key: str, path: str, body: dict[str, Any]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request on a socket of its own, which can be closed at any moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    payload = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    writer.write(head.encode() + payload)
    await writer.drain()
    return reader, writer


def frames(text: str) -> list[Any]:
    """The data of each server-sent event, decoded; comments left out."""
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def post(port: Port, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    async with port.client() as client:
        answered = await client.post(path, json=body)
    return answered.status_code, answered.json() if "json" in answered.headers["content-type"] else answered.text


async def refusal(port: Port, path: str, body: dict[str, Any], status: int = 400) -> dict[str, Any]:
    got, error = await post(port, path, body)
    assert got == status, error
    assert set(error) == {"error"}
    assert set(error["error"]) == {"message", "type", "param", "code"}
    return error["error"]  # type: ignore[no-any-return]
