"""The first question about a folder that was never indexed waits a moment for its index; no other one waits."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from impetus.domain.types import Indexing
from impetus.services.root_index import RootIndex

#: A small folder is complete after so many seconds. Of a large one the newest files are there, and have to do.
COMPLETE_S: Final = 4.0
#: After so many seconds a question is answered from nothing, which it then says.
LONGEST_S: Final = 20.0

_TELL_S: Final = 0.25


async def first_index(
    indexes: Sequence[RootIndex], *, complete_s: float = COMPLETE_S, longest_s: float = LONGEST_S
) -> AsyncGenerator[Indexing, None]:
    """Ends once `indexes` are worth asking; tells meanwhile how far they are."""
    clock = asyncio.get_running_loop().time
    began = clock()
    while left := [index for index in indexes if not index.complete.is_set()]:
        patience = complete_s if all(index.searchable.is_set() for index in left) else longest_s
        remaining = began + patience - clock()
        if remaining <= 0:
            return
        progress = [index.progress for index in left]
        yield Indexing(sum(each.done for each in progress), sum(each.total for each in progress))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_TELL_S, remaining)):
                for index in left:
                    await index.complete.wait()
