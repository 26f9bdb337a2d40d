"""The model process in trouble while editors use it: the real engine, shims, and a model that takes its time."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.engine_home import EngineHome, engine_home
from tests.support.lsp_client import LspClient, LspError
from tests.support.tiny_model import make_model

#: A prompt of many steps, and an answer of many more.
LONG = "How is a call retried with backoff? " * 60
TOKENS = 100
SHAPE = {
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "intermediate_size": 512,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "slow", context=8192, shape=SHAPE, ends=False)


@pytest.fixture
def home(model: Path) -> Iterator[EngineHome]:
    with engine_home() as home:
        home.path.mkdir()
        (home.path / "settings.toml").write_text(f'[chat]\nmodel = "{model}"\nmax_tokens = {TOKENS}\n')
        home.write("retry.py", "def retry_with_backoff(call):\n    return call()\n")
        yield home


def worker(home: EngineHome) -> psutil.Process:
    children = psutil.Process(home.pid).children()
    return next(child for child in children if "impetus.app_worker" in child.cmdline())


def part(kind: str) -> Callable[[Any], bool]:
    """A partial result of this kind; of prompts one that is not read to its end."""

    def matches(params: Any) -> bool:
        value = params["value"]
        return value.get("kind") == kind and (kind != "progress" or value["done"] < value["total"])

    return matches


def ask(client: LspClient, question: str) -> int:
    return client.start("impetus/ask", {"question": question, "partialResultToken": "parts"})


async def others_are_answered(client: LspClient) -> None:
    await client.request("impetus/status")
    found = await client.request("impetus/search", {"query": "retry_with_backoff"})
    assert [hit["path"] for hit in found["hits"]] == ["retry.py"]


@pytest.mark.parametrize("begun", ["progress", "delta"], ids=["in prefill", "in decode"])
async def test_a_worker_that_is_killed_fails_its_request_alone(home: EngineHome, begun: str) -> None:
    async with home.editor() as asking, home.editor() as other:
        question = ask(asking, LONG)
        await asking.notification("$/progress", part(begun))
        killed = worker(home)
        killed.kill()
        await others_are_answered(other)
        reason = r"SIGKILL .* while it worked for slow; .*ask again"
        if begun == "delta":
            with pytest.raises(LspError, match=reason):
                await asking.response(question)
        else:  # nothing was said yet, so quotations are given instead, with the reason
            assert (await asking.response(question))["model"] == "extractive"
            assert re.search(reason, "".join(value.get("text", "") for value in asking.progress("parts")))
        answer = await asking.request("impetus/ask", {"question": "How?"})
        assert (answer["model"], answer["usage"]["completionTokens"]) == ("slow", TOKENS)
        assert worker(home).pid != killed.pid
        await others_are_answered(other)
        numbers = [response["id"] for response in asking.responses]
        assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("begun", ["progress", "delta"], ids=["in prefill", "in decode"])
async def test_a_worker_that_is_stopped_for_a_while_loses_nothing(home: EngineHome, begun: str) -> None:
    async with home.editor() as asking, home.editor() as other:
        question = ask(asking, LONG)
        await asking.notification("$/progress", part(begun))
        stopped = worker(home)
        os.kill(stopped.pid, signal.SIGSTOP)
        await others_are_answered(other)
        second = ask(other, "How?")  # waits for the worker as well
        await others_are_answered(other)
        assert not [response for response in asking.responses if response["id"] == question]
        os.kill(stopped.pid, signal.SIGCONT)
        for client, number in ((asking, question), (other, second)):
            answer = await client.response(number)
            assert (answer["model"], answer["usage"]["completionTokens"]) == ("slow", TOKENS)
            numbers = [response["id"] for response in client.responses]
            assert len(numbers) == len(set(numbers))
        assert worker(home).pid == stopped.pid
