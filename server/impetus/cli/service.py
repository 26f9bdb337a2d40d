"""`impetus service install` and `remove`: a file for launchd or systemd; starting and stopping is the person's."""

from impetus.cli import exits, shared
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.errors import BadRequest, NotFound


def install(_runtime: Runtime, out: Output) -> int:
    shared.need()
    from impetus.daemon import address
    from impetus.daemon.units import unit

    service = unit()
    try:
        service.path.parent.mkdir(parents=True, exist_ok=True)
        service.path.write_text(service.text, "utf-8")
        address.made_log_path()  # launchd makes no folders
    except OSError as error:
        raise BadRequest(f"{service.path} cannot be written: {error.strerror}") from error
    if out.json:
        out.emit({"path": str(service.path), "start": service.start, "stop": service.stop})
        return exits.OK
    out.line(f"Wrote {service.path}")
    out.line(f"Start it with: {service.start}")
    return exits.OK


def remove(_runtime: Runtime, out: Output) -> int:
    shared.need()
    from impetus.daemon.units import unit

    service = unit()
    try:
        service.path.unlink()
    except FileNotFoundError as error:
        raise NotFound(f"There is no service to remove: {service.path} does not exist") from error
    if out.json:
        out.emit({"path": str(service.path), "stop": service.stop})
        return exits.OK
    out.line(f"Deleted {service.path}")
    out.line(f"If it still runs, stop it with: {service.stop}")
    return exits.OK
