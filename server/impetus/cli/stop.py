"""`impetus stop`: ends the engines of this home directory, of every version, and waits until they are gone."""

from impetus.cli import exits, shared
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime

#: An engine closes its files within this time, or is ended by its own watchdog.
PATIENCE_S = 20.0


def stop(_runtime: Runtime, out: Output) -> int:
    shared.need()
    from impetus.daemon import address, control

    engines = control.running(address.runtime_folder())
    left = [engine for engine in engines if not control.stop(engine, PATIENCE_S)]
    stopped = [engine for engine in engines if engine not in left]
    if out.json:
        out.emit({"stopped": [engine.pid for engine in stopped], "left": [engine.pid for engine in left]})
    elif not engines:
        out.line("No engine runs")
    for engine in stopped if not out.json else ():
        out.line(f"Stopped the engine of Impetus {engine.version} (process {engine.pid})")
    for engine in left:
        exits.complain(
            f"The engine of Impetus {engine.version} does not answer; `kill -9 {engine.pid}` ends it, and the index "
            "heals by itself"
        )
    return exits.FAILED if left else exits.OK
