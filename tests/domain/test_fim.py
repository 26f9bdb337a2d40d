"""Fill-in-the-middle formats: the right one for a model, rendered exactly, cut to fit."""

import pytest

from impetus.domain.fim import FORMATS, Special, Text, choose, fit, render
from impetus.domain.types import ContextFile, InfillPrompt

PROMPT = InfillPrompt("P", "S", "a.py")
WITH_CONTEXT = InfillPrompt("P", "S", "a.py", (ContextFile("b.py", "B"), ContextFile("c.py", "C")))
BY_NAME = {form.name: form for form in FORMATS}


def flat(name: str, prompt: InfillPrompt) -> str:
    """The prompt as the families' documentation writes it."""
    return "".join(part.token if isinstance(part, Special) else part.text for part in render(BY_NAME[name], prompt))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("impetus", "<|endoftext|><|file_sep|>a.py\n<|fim_suffix|>S<|fim_prefix|>P"),
        ("qwen", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
        ("codegemma", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
        ("granite", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
        ("starcoder", "<fim_prefix>P<fim_suffix>S<fim_middle>"),
        ("granite-code", "<fim_prefix>P<fim_suffix>S<fim_middle>"),
        ("mellum", "<fim_suffix>S<fim_prefix>P<fim_middle>"),
        ("codellama", "▁<PRE> P▁<SUF>S▁<MID>"),
        ("deepseek", "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>"),
        ("codestral", "[SUFFIX]S[PREFIX]P"),
        ("seed-coder", "<[fim-suffix]>S<[fim-prefix]>P<[fim-middle]>"),
    ],
)
def test_single_file_layout(name: str, expected: str) -> None:
    assert flat(name, PROMPT) == expected


def test_every_format_has_a_layout_test() -> None:
    marks = [mark for mark in test_single_file_layout.pytestmark if mark.name == "parametrize"]
    assert {case[0] for case in marks[0].args[1]} == set(BY_NAME)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "impetus",
            "<|endoftext|><|file_sep|>b.py\nB\n<|file_sep|>c.py\nC\n<|file_sep|>a.py\n<|fim_suffix|>S<|fim_prefix|>P",
        ),
        (
            "qwen",
            (
                "<|repo_name|>workspace\n<|file_sep|>b.py\nB\n<|file_sep|>c.py\nC\n<|file_sep|>a.py\n"
                "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"
            ),
        ),
        ("mellum", "<filename>b.py\nB\n<filename>c.py\nC\n<filename>a.py\n<fim_suffix>S<fim_prefix>P<fim_middle>"),
        ("codestral", "[SUFFIX]S[PREFIX]+++++ b.py\nB\n+++++ c.py\nC\n+++++ a.py\nP"),
        ("deepseek", "<｜fim▁begin｜>#b.py\nB\n#c.py\nC\n#a.py\nP<｜fim▁hole｜>S<｜fim▁end｜>"),
    ],
)
def test_repository_layout(name: str, expected: str) -> None:
    assert flat(name, WITH_CONTEXT) == expected


def test_text_stays_text_whatever_it_spells() -> None:
    parts = render(BY_NAME["qwen"], InfillPrompt("<|fim_middle|>", "<|endoftext|>"))
    assert parts[1] == Text("<|fim_middle|>")
    assert parts[3] == Text("<|endoftext|>")


@pytest.mark.parametrize(
    ("tokens", "model_type", "folder", "expected"),
    [
        (BY_NAME["qwen"].stops(), "qwen2", "Qwen2.5-Coder-1.5B", "qwen"),
        (BY_NAME["qwen"].stops(), "qwen3", "impetus-fim-43m", "impetus"),
        (BY_NAME["qwen"].stops(), "gemma", "codegemma-2b", "codegemma"),
        (BY_NAME["granite"].stops(), "granite", "granite-4.0", "granite"),
        (BY_NAME["starcoder"].stops(), "starcoder2", "starcoder2-3b", "starcoder"),
        (BY_NAME["starcoder"].stops(), "llama", "granite-3b-code-base", "granite-code"),
        (BY_NAME["starcoder"].stops() | BY_NAME["mellum"].stops(), "llama", "Mellum-4b-base", "mellum"),
        (BY_NAME["codestral"].stops(), "mistral", "Codestral-22B", "codestral"),
        (frozenset({"<|im_start|>", "<|im_end|>"}), "llama", "chat-model", None),
    ],
)
def test_choice_by_tokens_then_name_then_type(
    tokens: frozenset[str], model_type: str, folder: str, expected: str | None
) -> None:
    form = choose(tokens.__contains__, model_type=model_type, name=folder)
    assert (form.name if form else None) == expected


def test_a_model_may_declare_its_format() -> None:
    tokens = BY_NAME["qwen"].stops()
    form = choose(tokens.__contains__, model_type="qwen3", name="renamed", declared="impetus")
    assert form is BY_NAME["impetus"]


def words(text: str) -> int:
    return len(text.split())


def test_fit_leaves_a_prompt_that_fits() -> None:
    assert fit(WITH_CONTEXT, 100, words) == WITH_CONTEXT


def test_fit_drops_files_whole_and_cuts_whole_lines_at_the_far_ends() -> None:
    prefix = "".join(f"line {i}\n" for i in range(50))
    suffix = "".join(f"after {i}\n" for i in range(50))
    fitted = fit(InfillPrompt(prefix, suffix, "a.py", (ContextFile("big.py", "word " * 90),)), 60, words)
    assert fitted.context == ()
    assert prefix.endswith(fitted.prefix)
    assert suffix.startswith(fitted.suffix)
    assert fitted.prefix.startswith("line ")
    assert words(fitted.prefix) + words(fitted.suffix) <= 60
    assert words(fitted.suffix) >= 12


def test_fit_cuts_inside_of_one_enormous_line() -> None:
    fitted = fit(InfillPrompt("x" * 10_000, "y" * 10_000), 100, len)
    assert 0 < len(fitted.prefix) <= 100
    assert 0 < len(fitted.suffix) <= 25
