"""Which names and values count as secrets, and what must stay readable.

The values are put together here, so that no scanner of this repository finds one.
"""

import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.secrets import is_secret_file, mask, mask_bytes

PICK = random.Random(7)


def drawn(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """As a machine draws a secret; always with digits in it."""
    return "".join(PICK.choice(alphabet) for _ in range(length - 3)) + "7a9"


HEX = "0123456789abcdef"


@pytest.mark.parametrize(
    "path",
    [
        ".env", "app/.env.local", ".env.production", "prod.env", ".envrc", "server.pem", "a/b.KEY", "x.p12", "x.pfx",
        "x.jks", "x.kdbx", "id_rsa", ".ssh/config", "home/.ssh/known_hosts", ".aws/credentials", ".gnupg/a", ".netrc",
        ".npmrc", "web/.npmrc", ".pypirc", ".git-credentials", ".htpasswd", "credentials", "credentials.json",
        "gcp-credentials.json", "client_secret_123.json", ".docker/config.json", ".kube/config", "kubeconfig",
        "terraform.tfstate", "terraform.tfstate.backup", "service-account.json", "my_service_account-prod.json",
        "secrets.yaml", "deploy/secret.yml", "prod.secrets.json", ".bash_history", "id_ed25519.old", "a/.ssh/",
    ],
)  # fmt: skip
def test_secret_files(path: str) -> None:
    assert is_secret_file(path)


@pytest.mark.parametrize(
    "path",
    [
        ".env.example", ".env.sample", "a/.env.template", ".env.local.example", "example.env", "env.py", "env.ts",
        "key.py", "keys.json", "src/credentials.py", "aws/credentials.go", "secrets.py", "secrets.rs", "secrets.md",
        "id_rsa.pub", "id_rsa_parser.c", "tokens.py", "pem.rs", "config.json", "docker/config.json", "ssh/config.py",
        "credential_helper.sh", "service_account.py", "keyboard.json", "monkey", "secrets.example.yaml", "aws/main.tf",
    ],
)  # fmt: skip
def test_harmless_files(path: str) -> None:
    assert not is_secret_file(path)


SECRETS = {
    "aws": "AKIA" + drawn(16, string.ascii_uppercase + string.digits).upper(),
    "github": "ghp_" + drawn(36),
    "github fine": "github_pat_" + drawn(82),
    "gitlab": "glpat-" + drawn(20),
    "slack": "xoxb-" + "123456789012-" + drawn(24),
    "stripe": "sk_live_" + drawn(24),
    "google": "AIza" + drawn(35),
    "openai": "sk-" + drawn(48),
    "openai project": "sk-proj-" + drawn(60),
    "anthropic": "sk-ant-" + "api03-" + drawn(80),
    "npm": "npm_" + drawn(36),
    "pypi": "pypi-" + drawn(80),
    "hugging face": "hf_" + drawn(34, string.ascii_letters).replace("7", "x").replace("9", "y"),
    "sendgrid": "SG." + drawn(22) + "." + drawn(43),
    "jwt": "eyJ" + drawn(20) + ".eyJ" + drawn(40) + "." + drawn(43),
}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("line", ["x = '{}'", "call({})", "# see {} for it", "{}"])
def test_marked_values(name: str, line: str) -> None:
    secret = SECRETS[name]
    assert mask(line.format(secret)) == line.format("*" * len(secret))


HIDDEN = [
    ('password = "{}"', drawn(20)),
    ("DB_PASSWORD='{}'", drawn(24)),
    ('"api_key": "{}",', drawn(32, HEX)),
    ("apiKey: `{}`,", drawn(40)),
    ('private static final String SECRET_KEY = "{}";', drawn(40, string.ascii_letters + string.digits + "+/")),
    ('secret: str = "{}"', drawn(32)),
    ("  token: {}\n", drawn(40, HEX)),
    ("export AWS_SECRET_ACCESS_KEY={}\n", drawn(40)),
    ('client_secret => "{}"', drawn(30)),
    ('accessKey := "{}"', drawn(30)),
    ('config["auth_token"] = "{}"', drawn(30)),
    ("Authorization: Bearer {}", drawn(40)),
    ("postgres://app:{}@db.internal:5432/app", drawn(16)),
    ('token = "{}"', "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("AccountName=x;AccountKey={};", drawn(84)),
]


@pytest.mark.parametrize(("line", "secret"), HIDDEN)
def test_values_given_to_telling_names(line: str, secret: str) -> None:
    assert mask(line.format(secret)) == line.format("*" * len(secret))


@pytest.mark.parametrize(
    "text",
    [
        "password = getpass()",
        "token: str",
        "token = request.headers.get('X-Token')",
        'PASSWORD = "correct-horse-battery-staple"',
        'password = "hunter2"',
        'api_key = os.environ["OPENAI_API_KEY"]',
        'api_key = "your-api-key-goes-here-12345"',
        'api_key = "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx123"',
        'token = "${GITHUB_TOKEN_FOR_RELEASE_2}"',
        "def test_password_reset_token_1234567890_expires():",
        'TOKEN_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"',
        'token_url = "https://auth.example.com/oauth2/v1a2b3c4d5e6f7/token"',
        "tokenizer = 'a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6'",
        'tokenizer_revision = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"',
        "token = tokens[index_of_token_12 + 345]",
        "fixed in 3f2a9c1d8e7b6a5f4c3d2e1f0a9b8c7d6e5f4a3b",
        '"integrity": "sha512-' + drawn(86) + '=="',
        ".sk-fading-circle-animation-with-long-name { color: #a1b2c3d4 }",
        "sk-learn-based-pipeline-for-classification",
        "http://localhost:8080/path?a=b@c",
        "postgres://user:password@localhost/db",
        'f"https://{user}:{password}@{host}/"',
        '"https://%s:%s@host/" % (user, password)',
        'if "-----BEGIN RSA PRIVATE KEY-----" in text: return certificate_of_the_organisation',
        "AKIAIOSFODNN7EXAMPLE",
        'password_field = "form-input-password-2"',
        "secret_path = '/etc/ssl/private/server1.pem'",
        '<input type="password" name="a1b2c3d4e5f6a7b8c9d0">',
        "uuid = '0f8fad5b-d9cb-469f-a165-70867728950e'",
    ],
)
def test_what_must_stay(text: str) -> None:
    assert mask(text) == text


def test_a_key_block_keeps_its_lines() -> None:
    body = [drawn(64) for _ in range(3)] + [drawn(22) + "=="]
    text = "\n".join(
        ["a = 1", "-----BEGIN OPENSSH PRIVATE KEY-----", *body, "-----END OPENSSH PRIVATE KEY-----", "b = 2"]
    )
    masked = mask(text).split("\n")
    assert masked[0] == "a = 1" and masked[-1] == "b = 2"
    assert masked[2:6] == ["*" * len(line) for line in body]


def test_a_key_block_that_is_cut_off() -> None:
    text = "-----BEGIN PRIVATE KEY-----\n" + drawn(64) + "\n" + drawn(64) + "\nthe_following_code_stays = certificate\n"
    lines = mask(text).split("\n")
    assert lines[1:3] == ["*" * 64] * 2
    assert lines[3] == "the_following_code_stays = certificate"


def test_a_key_in_one_string() -> None:
    text = (
        'KEY = "-----BEGIN PRIVATE KEY-----\\n' + drawn(64) + "\\n" + drawn(64) + '\\n-----END PRIVATE KEY-----"; x = 1'
    )
    masked = mask(text)
    assert masked.endswith('-----END PRIVATE KEY-----"; x = 1')
    assert masked.count("*") >= 128


def test_offsets_stay_where_letters_change_length_in_lower_case() -> None:
    secret = drawn(24)
    text = f'İstanbul = "ß"; password = "{secret}"; İ'
    assert mask(text) == text.replace(secret, "*" * 24)


def test_what_follows_a_masked_value_is_judged_as_before() -> None:
    text = SECRETS["google"] + SECRETS["aws"]  # no edge between them, so the second is part of a word
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "piece",
    ["token", "-eyJaaaaaaaaa", "-glpat-", "-xoxb-", " sk-proj-", "token_a=", "token: ", "://a:", "bearer ", "secret ",
     "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n-----END", "api_key[", "x" * 99 + "password = '"],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    """Linear work takes under a second here; quadratic work took minutes."""
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    assert len(mask(text)) == len(text)
    assert time.process_time() - began < 5


def test_bytes_that_are_no_utf8() -> None:
    secret = drawn(24).encode()
    assert (
        mask_bytes(b"\xff\xfe\n password = '" + secret + b"'\n\xe9")
        == b"\xff\xfe\n password = '" + b"*" * 24 + b"'\n\xe9"
    )
    clean = b"\xffx = 1\n"
    assert mask_bytes(clean) is clean


PIECES = st.sampled_from(
    [*SECRETS.values(), *(line.format(secret) for line, secret in HIDDEN), "password", "=", "token: ", "://", ":", "@",
     "'", '"', "\n", "\r\n", " ", "*", "-----BEGIN PRIVATE KEY-----", "-----END", drawn(64), drawn(17), "bearer ", "é"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join))
def test_length_and_lines_stay_and_twice_is_once(text: str) -> None:
    masked = mask(text)
    assert len(masked) == len(text)
    assert all(new == old or (new == "*" and old not in "\r\n") for old, new in zip(text, masked, strict=True))
    assert mask(masked) == masked


@given(st.lists(PIECES.map(str.encode) | st.binary(max_size=8), max_size=12).map(b"".join))
def test_bytes_too(data: bytes) -> None:
    masked = mask_bytes(data)
    assert len(masked) == len(data)
    assert [i for i, c in enumerate(masked) if c == 10] == [i for i, c in enumerate(data) if c == 10]
    assert mask_bytes(masked) == masked
