"""Serve semble to side_by_side.py: one JSON request a line on stdin, one JSON answer a line on stdout.

Runs with the Python of semble's own environment, so it imports nothing of ours. It times itself: the pipe is not part
of what is compared.
"""

import json
import sys
import time

from semble import SembleIndex
from semble.index.dense import load_model


def main() -> None:
    load_model()  # a service would have it loaded; reading the folder is not indexing
    index = None
    for line in sys.stdin:
        request = json.loads(line)
        start = time.perf_counter()
        if "index" in request:
            index = SembleIndex.from_path(request["index"])
            answer = {"chunks": len(index.chunks)}
        else:
            assert index is not None
            found = index.search(request["search"], top_k=request["limit"])
            answer = {"found": [(hit.chunk.file_path, hit.chunk.start_line, hit.chunk.end_line) for hit in found]}
        answer["seconds"] = time.perf_counter() - start
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
