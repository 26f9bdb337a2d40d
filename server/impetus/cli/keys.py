"""`impetus keys`: keys of the HTTP port. A key is printed when it is made and never again."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from impetus.cli import exits
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.domain.keys import ApiKey, Role


def create(runtime: Runtime, out: Output, name: str, role: Role, days: float | None) -> int:
    new = runtime.open_keys().create(name, role, days)
    if out.json:
        out.emit({"key": new.secret, **_json(new.key)})
    else:
        out.line(new.secret)
        out.note(f"Key {new.key.id} ({new.key.name}, {new.key.role}). Keep it now: only its digest is stored.")
    return exits.OK


def show(runtime: Runtime, out: Output) -> int:
    keys = runtime.open_keys().all()
    if out.json:
        out.emit([_json(key) for key in keys])
    elif not keys:
        out.note("There are no keys; `impetus keys create --name NAME` makes one")
    else:
        for key in keys:
            until = f"  until {_time(key.expires)}" if key.expires is not None else ""
            out.line(f"{key.id}  {_time(key.created)}  {key.role}  {key.name}{until}")
    return exits.OK


def revoke(runtime: Runtime, out: Output, key_id: str) -> int:
    runtime.open_keys().revoke(key_id)
    if out.json:
        out.emit({"revoked": key_id})
    else:
        out.note(f"Key {key_id} is revoked")
    return exits.OK


def log(runtime: Runtime, out: Output) -> int:
    events = runtime.open_keys().events()
    if out.json:
        out.emit([{**asdict(event), "at": _time(event.at)} for event in events])
    elif not events:
        out.note("Nothing was done to keys yet")
    else:
        for event in events:
            out.line(f"{_time(event.at)}  {event.action}  {event.key_id}  {event.role}  {event.name}")
    return exits.OK


def _json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "created": _time(key.created),
        "expires": _time(key.expires) if key.expires is not None else None,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
