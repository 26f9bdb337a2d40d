"""A language model behind any OpenAI-compatible server: chat as /chat/completions, the rest as /completions.

One request per `stream`; leaving it closes the connection, which is how such servers learn to stop. Fills in with
`suffix`, so the format is the server's own business; context files are not sent.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from impetus.adapters import openai_wire, sse
from impetus.adapters.openai_wire import Calls
from impetus.domain.stops import StopFilter
from impetus.domain.types import (
    ChatPrompt,
    End,
    FinishReason,
    InfillPrompt,
    Piece,
    Prompt,
    Sampling,
    Step,
    Thought,
    Usage,
)
from impetus.errors import BadRequest, Busy, ContextOverflow, EngineStopped, ImpetusError, ModelError

#: Reading waits long: nothing comes while a server reads a long prompt or loads a model.
TIMEOUT = httpx.Timeout(10.0, read=300.0)

#: Somebody waits for the status.
CHECK_TIMEOUT = httpx.Timeout(2.0)

_REASONS = {"length": FinishReason.LENGTH, "tool_calls": FinishReason.TOOL_CALLS}

#: More stop strings than this are refused by OpenAI's own server; all of them are applied here as well.
MAX_STOPS = 4


class RemoteGenerator:
    """`setting` names the section to blame in messages. `context_length` counts until the server tells its own."""

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        *,
        setting: str = "chat",
        context_length: int = 16_384,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._key = key
        self._setting = setting
        self._context_length = context_length
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None
        self._outcome: tuple[str, str] = ("not loaded", f"{self._base_url}; asked on first use")

    @property
    def model_id(self) -> str:
        return self._model

    @property
    def context_length(self) -> int:
        return self._context_length

    @property
    def state(self) -> str:
        return self._outcome[0]

    @property
    def detail(self) -> str:
        return self._outcome[1]

    async def check(self) -> None:
        """Ask whether the server is there and knows the model; `state` and `context_length` say what came out."""
        try:
            response = await self._open().get(f"{self._base_url}/models", timeout=CHECK_TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._outcome = ("failed", str(self._unreachable(error)))
            return
        if response.status_code >= 400:
            # Some servers have no such list; what they are worth is seen when they are used.
            if response.status_code in (401, 403):
                self._outcome = ("failed", str(await self._refusal(response)))
            return
        entry = openai_wire.model_entry(response, self._model)
        self._context_length = openai_wire.context_length(entry) or self._context_length
        self._outcome = ("ready", self._base_url)

    async def close(self) -> None:
        """Close connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Step, None]:
        """Piece*, End. Use with `contextlib.aclosing`."""
        path, body = self._request(prompt, sampling)
        client = self._open()
        try:
            async with client.stream("POST", f"{self._base_url}{path}", json=body) as response:
                if response.status_code >= 400:
                    raise await self._refusal(response)
                async with aclosing(self._answer(response, sampling)) as steps:
                    async for step in steps:
                        yield step
            self._outcome = ("ready", self._base_url)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            if client.is_closed:  # by `close`: the server is not to blame
                raise EngineStopped("The engine is shutting down; the request was stopped") from error
            failure = self._unreachable(error)
            self._outcome = ("failed", str(failure))
            raise failure from error
        except ModelError as error:
            self._outcome = ("failed", str(error))
            raise

    # -- request -----------------------------------------------------------------------------------------------------

    def _request(self, prompt: Prompt, sampling: Sampling) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        # Not every server knows these; they are sent only where they say something.
        optional = {
            "top_k": (sampling.top_k, 0),
            "min_p": (sampling.min_p, 0.0),
            "repetition_penalty": (sampling.repetition_penalty, 1.0),
            "presence_penalty": (sampling.presence_penalty, 0.0),
            "frequency_penalty": (sampling.frequency_penalty, 0.0),
            "seed": (sampling.seed, None),
        }
        body |= {key: value for key, (value, default) in optional.items() if value != default}
        if sampling.top_logprobs is not None:
            raise BadRequest(
                f"Log-probabilities are not read from a model server; leave logprobs out, or set {self._setting}.model "
                "to a local model",
                parameter="logprobs",
            )
        if sampling.logit_bias:
            body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
        if sampling.grammar is not None:
            schema = {"name": "answer", "schema": json.loads(sampling.grammar.text), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if sampling.stop:
            body["stop"] = list(sampling.stop[:MAX_STOPS])
        match prompt:
            case ChatPrompt():
                return "/chat/completions", body | openai_wire.conversation(prompt)
            case InfillPrompt():
                return "/completions", body | {"prompt": prompt.prefix, "suffix": prompt.suffix}
            case _:
                return "/completions", body | {"prompt": prompt.text}

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            own = openai_wire.on_this_machine(self._base_url)
            self._client = httpx.AsyncClient(headers=headers, timeout=self._timeout, trust_env=not own)
        return self._client

    # -- answer ------------------------------------------------------------------------------------------------------

    async def _answer(self, response: httpx.Response, sampling: Sampling) -> AsyncGenerator[Step, None]:
        stops = StopFilter(sampling.stop)
        pieces = 0
        reason, usage = FinishReason.STOP, None
        calls = Calls()
        async with aclosing(self._events(response)) as events:
            async for event in events:
                if event.get("error"):
                    raise ModelError(
                        f"The model server failed while answering: {openai_wire.message(event)}; try again"
                    )
                usage = _usage(event.get("usage")) or usage
                for choice in event.get("choices") or ():
                    said = choice.get("delta") or choice.get("message") or {}
                    thought = said.get("reasoning_content") or said.get("reasoning")
                    if isinstance(thought, str) and thought:
                        pieces += 1
                        yield Thought(thought)
                    for call in calls.parts(said.get("tool_calls")):
                        yield call
                    text = _text(choice)
                    if text:
                        pieces += 1
                        shown = stops.feed(text)
                        if shown or not stops.stopped:
                            yield Piece(shown)
                    if choice.get("finish_reason") in _REASONS:
                        reason = _REASONS[choice["finish_reason"]]
                if stops.stopped:
                    reason = FinishReason.STOP
                    break
        rest = stops.finish()
        if rest:
            yield Piece(rest)
        yield End(reason, usage or Usage(completion_tokens=pieces))

    async def _events(self, response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
        if "text/event-stream" in response.headers.get("content-type", ""):
            async with aclosing(sse.events(response.aiter_lines())) as events:
                async for event in events:
                    yield event
            return
        # Some servers answer in one piece although asked to stream.
        await response.aread()
        try:
            value = response.json()
        except ValueError as error:
            raise ModelError(
                f"{self._base_url} does not answer like an OpenAI-compatible server; check {self._setting}.base_url, "
                "which usually ends in /v1"
            ) from error
        if isinstance(value, dict):
            yield value

    def _unreachable(self, error: Exception) -> ModelError:
        reason = str(error) or type(error).__name__
        return ModelError(
            f"The model server at {self._base_url} cannot be used: {reason}; start it, or change "
            f"{self._setting}.base_url"
        )

    async def _refusal(self, response: httpx.Response) -> ImpetusError:
        await response.aread()
        told: Any = None
        try:
            told = response.json()
            message = openai_wire.message(told)
        except (json.JSONDecodeError, UnicodeDecodeError):
            message = response.text.strip()[:200]
        message = message or response.reason_phrase
        status = response.status_code
        if status == 429:
            wait = response.headers.get("retry-after", "")
            return Busy(
                f"The model server at {self._base_url} is busy: {message}",
                retry_after=float(wait) if wait.replace(".", "", 1).isdigit() else 5.0,
            )
        if status in (400, 413, 422):
            if openai_wire.is_overflow(told):
                return ContextOverflow.told(message)
            return BadRequest(
                f"The model server at {self._base_url} refused the request: {message}",
                parameter=openai_wire.parameter(told),
            )
        advice = {
            401: f"set the variable that {self._setting}.api_key_env names to a valid key",
            403: f"set the variable that {self._setting}.api_key_env names to a valid key",
            404: f"check {self._setting}.base_url and {self._setting}.model",
        }.get(status, "see the server's log" if status >= 500 else f"check {self._setting}.model")
        return ModelError(f"The model server at {self._base_url} refused the request ({status}): {message}; {advice}")


def _text(choice: dict[str, Any]) -> str:
    for part in (choice.get("delta"), choice.get("message")):
        if isinstance(part, dict) and isinstance(part.get("content"), str):
            return str(part["content"])
    text = choice.get("text")
    return text if isinstance(text, str) else ""


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(int(value.get("prompt_tokens") or 0), int(value.get("completion_tokens") or 0), int(cached or 0))
