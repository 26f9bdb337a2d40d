"""Exit codes, and the one place where an error becomes a sentence on standard error and a code.

0    done
1    nothing found, or a check of `impetus doctor` failed
2    wrong usage or bad input
3    the index or a model failed
130  interrupted
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from impetus.errors import BadRequest, Denied, ImpetusError, NotFound

OK = 0
NOTHING = 1
USAGE = 2
FAILED = 3
INTERRUPTED = 130

log = logging.getLogger(__name__)


def code_of(error: ImpetusError) -> int:
    return USAGE if isinstance(error, BadRequest | NotFound | Denied) else FAILED


def guarded(command: Callable[[], int | Coroutine[Any, Any, int]]) -> int:
    """Run a command, on an event loop when it needs one; return its exit code whatever happens."""
    try:
        result = command()
        code = result if isinstance(result, int) else asyncio.run(result)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OK
    except KeyboardInterrupt:
        complain("Interrupted; what is finished stays")
        return INTERRUPTED
    except ImpetusError as error:
        complain(str(error))
        return code_of(error)
    except Exception as error:
        log.debug("unexpected error", exc_info=error)
        complain(
            f"Something went wrong inside Impetus ({type(error).__name__}: {error}); "
            "IMPETUS_LOG_LEVEL=debug shows where"
        )
        return FAILED


def complain(message: str) -> None:
    sys.stderr.write(f"impetus: {message}\n")
