"""A local model under several requests at once, beside `mlx_lm.server`: same weights, same prompts, one run.

    python -m tests.bench.serving --rounds 3
    python -m tests.bench.serving --streams 8 --first 0 --model FOLDER

The model has random weights and is made on the spot (28 million parameters, float32 on a CPU). mlx_lm.server runs as a
process of its own with its defaults and is asked over HTTP, without streaming where only throughput counts; ours is the
`TextModel` that the worker's loop drives, driven here in this process. On Linux both get OpenBLAS where it is
installed. Every prompt is new to both, so no prompt cache helps either; ours and theirs take turns.
"""

import argparse
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.support.text_model import text
from tests.support.tiny_model import make_model
from tokenizers import Tokenizer

from impetus.adapters import blas
from impetus.adapters.mlx_model import load_model
from impetus.domain.ports import TextModel
from impetus.domain.types import End, Piece, Prefill, Priority, Sampling, Step, TextPrompt

SHAPE = {
    "hidden_size": 512,
    "num_hidden_layers": 8,
    "intermediate_size": 1536,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "vocab_size": 8192,
}
CONTEXT = 8192
STREAMS = (1, 8, 32)
PROMPT_WORDS, ANSWER_TOKENS = 40, 64
LONG_TOKENS, SHORT_WORDS = 4000, 30
#: The short request comes when so much of the time has passed that the long prompt takes us alone.
LATER = 0.1


def library() -> list[str]:
    """Every third Python file of the standard library's top folder, as text."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[::3]
    return [file.read_text("utf-8", errors="replace") for file in files]


def make(folder: Path, texts: Sequence[str]) -> Path:
    return make_model(
        folder,
        context=CONTEXT,
        shape=SHAPE,
        vocabulary=SHAPE["vocab_size"],
        texts=texts,
        ends=False,
        tokenizer_class="PreTrainedTokenizerFast",
    )


class Prompts:
    """Runs of words of the standard library, none given twice."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._words = [line + "\n" for text in texts for line in text.splitlines() if line.strip()]
        self._random = random.Random(5)
        self._number = 0

    def make(self, lines: int) -> str:
        self._number += 1
        first = self._random.randrange(len(self._words) - lines)
        return f"# {self._number}\n" + "".join(self._words[first : first + lines])

    def words(self, count: int) -> str:
        return " ".join(self.make(count).split()[:count])

    def long(self, tokenizer: Tokenizer) -> str:
        """Whole lines of at least LONG_TOKENS tokens."""
        lines = self.make(600).splitlines(keepends=True)
        low, high = 1, len(lines)
        while low < high:
            middle = (low + high) // 2
            if len(tokenizer.encode("".join(lines[:middle])).ids) < LONG_TOKENS:
                low = middle + 1
            else:
                high = middle
        return "".join(lines[:low])


@dataclass(frozen=True, slots=True)
class Round:
    """`seconds` count from the first request to the end of all answers."""

    tokens: int
    seconds: float
    texts: tuple[str, ...]

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def greedy(tokens: int) -> Sampling:
    return Sampling(max_tokens=tokens, temperature=0.0, top_p=1.0)


# -- ours ------------------------------------------------------------------------------------------------------------


def ours_together(model: TextModel, prompts: Sequence[str]) -> Round:
    began = time.perf_counter()
    for number, prompt in enumerate(prompts):
        model.start(number, TextPrompt(prompt), greedy(ANSWER_TOKENS), Priority.CHAT)
    given: dict[int, list[Step]] = {}
    while (priority := model.waiting()) is not None:
        for number, step in model.step(priority):
            given.setdefault(number, []).append(step)
    seconds = time.perf_counter() - began
    ends = [steps[-1] for steps in given.values()]
    tokens = sum(end.usage.completion_tokens for end in ends if isinstance(end, End))
    return Round(tokens, seconds, tuple(text(given[number]) for number in range(len(prompts))))


@dataclass(frozen=True, slots=True)
class Contended:
    """A short request that comes while a long prompt is read. Seconds; `prefill` is that of the long prompt alone."""

    first: float
    prefill: float
    texts: tuple[str, str]


def ours_contended(model: TextModel, long: str, short: str, priority: Priority) -> Contended:
    prefill = prefill_alone(model, long)
    model.trim(0)
    due = time.perf_counter() + LATER * prefill  # a request that comes within a step is seen after it
    model.start(1, TextPrompt(long), greedy(8), Priority.CHAT)
    given: dict[int, list[Step]] = {1: [], 2: []}
    asked, first = False, 0.0
    while (urgent := model.waiting()) is not None:
        for number, step in model.step(urgent):
            given[number].append(step)
            if number == 2 and isinstance(step, Piece) and not first:
                first = time.perf_counter() - due
        if not asked and time.perf_counter() > due:
            asked = True
            model.start(2, TextPrompt(short), greedy(8), priority)
    return Contended(first, prefill, (text(given[1]), text(given[2])))


def prefill_alone(model: TextModel, prompt: str) -> float:
    """Seconds until a prompt is read."""
    model.trim(0)
    model.start(0, TextPrompt(prompt), greedy(1), Priority.CHAT)
    began = time.perf_counter()
    while True:
        for _, step in model.step(Priority.CHAT):
            if isinstance(step, Prefill) and step.done == step.total:
                seconds = time.perf_counter() - began
                while model.waiting() is not None:
                    model.step(Priority.CHAT)
                return seconds


def alone(model: TextModel, prompt: str, tokens: int) -> str:
    model.trim(0)
    model.start(0, TextPrompt(prompt), greedy(tokens), Priority.CHAT)
    steps: list[Step] = []
    while model.waiting() is not None:
        steps += [step for _, step in model.step(Priority.CHAT)]
    return text(steps)


# -- theirs ----------------------------------------------------------------------------------------------------------


class Server:
    """A running mlx_lm.server."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port

    def complete(self, prompt: str, tokens: int) -> tuple[str, int]:
        """The text and how many tokens it has."""
        connection, response = self._post(prompt, tokens, stream=False)
        body = json.loads(response.read())
        connection.close()
        return body["choices"][0]["text"], body["usage"]["completion_tokens"]

    def first_text(self, prompt: str, tokens: int) -> tuple[float, str]:
        """Seconds to the first text, and all of it."""
        began = time.perf_counter()
        connection, response = self._post(prompt, tokens, stream=True)
        first, parts = 0.0, []
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            choices = json.loads(line[6:])["choices"]
            if choices and choices[0]["text"]:
                first = first or time.perf_counter() - began
                parts.append(choices[0]["text"])
        connection.close()
        return first, "".join(parts)

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _post(
        self, prompt: str, tokens: int, *, stream: bool
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        body = {
            "model": str(self._folder),
            "prompt": prompt,
            "max_tokens": tokens,
            "temperature": 0.0,
            "stream": stream,
        }
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
            try:
                connection.request("POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"})
                return connection, connection.getresponse()
            except ConnectionError:  # its queue of connections is five long
                connection.close()
                time.sleep(0.02)


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    preload = blas.preload()
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "MLX_DISABLE_COMPILE": "1"}
    if preload is not None:
        environment["LD_PRELOAD"] = preload
    command = [
        sys.executable,
        "-m",
        "mlx_lm.server",
        "--model",
        str(folder),
        "--port",
        str(port),
        "--log-level",
        "ERROR",
    ]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = Server(folder, port)
    try:
        until = time.monotonic() + 120
        while not found.ready():
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"mlx_lm.server did not start; run it by itself: {' '.join(command)}")
            time.sleep(0.2)
        found.complete("warm up", 4)
        yield found
    finally:
        process.terminate()
        process.wait()


def theirs_together(pool: ThreadPoolExecutor, theirs: Server, prompts: Sequence[str]) -> Round:
    began = time.perf_counter()
    answers = list(pool.map(lambda prompt: theirs.complete(prompt, ANSWER_TOKENS), prompts))
    seconds = time.perf_counter() - began
    return Round(sum(tokens for _, tokens in answers), seconds, tuple(answer for answer, _ in answers))


def theirs_contended(theirs: Server, long: str, short: str, later: float) -> float:
    """Seconds to the first text of `short`, asked `later` seconds after `long`."""
    thread = threading.Thread(target=theirs.complete, args=(long, 8))
    thread.start()
    time.sleep(later)
    first, _ = theirs.first_text(short, 8)
    thread.join()
    return first


# -- the run ---------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds", type=int, default=3, help="of 32 streams; of fewer streams up to four times as many"
    )
    parser.add_argument("--streams", type=int, nargs="*", default=list(STREAMS))
    parser.add_argument("--first", type=int, default=3, help="rounds of the time to the first token")
    parser.add_argument("--model", type=Path, help="folder to keep the model in, or to take it from")
    options = parser.parse_args()
    texts = library()
    prompts = Prompts(texts)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.model or Path(scratch) / "serving"
        if not folder.exists():
            make(folder, texts)
        model, tokenizer = load_model(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))
        print(f"model: {model.nbytes / 1e6:.1f} MB, BLAS {blas.preload() or 'as shipped'}, {os.cpu_count()} CPUs")
        with server(folder) as theirs, ThreadPoolExecutor(max(STREAMS)) as pool:
            ours_together(model, [prompts.words(PROMPT_WORDS)])
            for streams in options.streams:
                throughput(model, theirs, pool, prompts, streams, options.rounds)
            if options.first:
                first_token(model, tokenizer, theirs, prompts, options.first)


def throughput(
    model: TextModel, theirs: Server, pool: ThreadPoolExecutor, prompts: Prompts, streams: int, rounds: int
) -> None:
    pairs = []
    rounds *= max(1, min(4, 16 // streams))  # short ones vary more
    for turn in range(rounds):
        asked = [prompts.words(PROMPT_WORDS) for _ in range(streams)]
        if turn % 2:
            its, mine = theirs_together(pool, theirs, asked), ours_together(model, asked)
        else:
            mine, its = ours_together(model, asked), theirs_together(pool, theirs, asked)
        pairs.append((mine, its))
    same = sum(a == b for mine, its in pairs for a, b in zip(mine.texts, its.texts, strict=True))
    some = list(zip(asked, mine.texts, strict=True))[:8]
    single = sum(alone(model, prompt, ANSWER_TOKENS) == found for prompt, found in some)
    ratios = sorted(mine.rate / its.rate for mine, its in pairs)
    print(
        f"{streams:2} streams: {median(mine.rate for mine, _ in pairs):6.1f} tokens/s, "
        f"mlx_lm.server {median(its.rate for _, its in pairs):6.1f}; "
        f"ratio {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"texts like theirs {same} of {streams * rounds}, like ours alone {single} of {len(some)}",
        flush=True,
    )


def first_token(model: TextModel, tokenizer: Tokenizer, theirs: Server, prompts: Prompts, rounds: int) -> None:
    chat, typing, its = [], [], []
    identical = True
    for _ in range(rounds):
        long, short = prompts.long(tokenizer), prompts.words(SHORT_WORDS)
        chat.append(ours_contended(model, long, short, Priority.CHAT))
        its.append(theirs_contended(theirs, long, short, LATER * chat[-1].prefill))
        typing.append(ours_contended(model, long, short, Priority.TYPING))
        expected = (alone(model, long, 8), alone(model, short, 8))
        identical &= chat[-1].texts == typing[-1].texts == expected
    ratio = median(found.first / other for found, other in zip(chat, its, strict=True))
    print(
        f"short request during a long one: first token after {median(found.first for found in chat) * 1000:.0f} ms, "
        f"mlx_lm.server {median(its) * 1000:.0f} ms; ratio {ratio:.3f}"
    )
    share = median(found.first / found.prefill for found in typing)
    print(
        f"completion behind a {LONG_TOKENS}-token prompt: first token after "
        f"{median(found.first for found in typing) * 1000:.0f} ms = {share:.1%} of that prompt's "
        f"{median(found.prefill for found in typing):.2f} s; outputs as alone: {identical}"
    )


if __name__ == "__main__":
    main()
