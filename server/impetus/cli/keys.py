"""`impetus keys`: keys of the HTTP port. A key is printed when it is made and never again."""

from datetime import UTC, datetime
from typing import Any

from impetus.cli import exits
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.domain.keys import ApiKey


def create(runtime: Runtime, out: Output, name: str) -> int:
    new = runtime.open_keys().create(name)
    if out.json:
        out.emit({"key": new.secret, **_json(new.key)})
    else:
        out.line(new.secret)
        out.note(f"Key {new.key.id} ({new.key.name}). Keep it now: only its digest is stored.")
    return exits.OK


def show(runtime: Runtime, out: Output) -> int:
    keys = runtime.open_keys().all()
    if out.json:
        out.emit([_json(key) for key in keys])
    elif not keys:
        out.note("There are no keys; `impetus keys create --name NAME` makes one")
    else:
        for key in keys:
            out.line(f"{key.id}  {_created(key)}  {key.role}  {key.name}")
    return exits.OK


def revoke(runtime: Runtime, out: Output, key_id: str) -> int:
    runtime.open_keys().revoke(key_id)
    if out.json:
        out.emit({"revoked": key_id})
    else:
        out.note(f"Key {key_id} is revoked")
    return exits.OK


def _json(key: ApiKey) -> dict[str, Any]:
    return {"id": key.id, "name": key.name, "role": key.role, "created": _created(key)}


def _created(key: ApiKey) -> str:
    return datetime.fromtimestamp(key.created, UTC).isoformat(timespec="seconds")
