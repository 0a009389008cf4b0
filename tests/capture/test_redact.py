"""Nothing secret leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenuto.capture import capture, redact, register, scrub
from tenuto.capture.redact import is_secret

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFU"


@pytest.fixture(autouse=True)
def registry_as_it_was(monkeypatch):
    for name in ("_WORDS", "_RUNS"):
        monkeypatch.setattr(redact, name, set(getattr(redact, name)))
    monkeypatch.setattr(redact, "_patterns", list(redact._patterns))
    monkeypatch.setattr(redact, "_needles", redact._needles)
    yield
    is_secret.cache_clear()


@pytest.mark.parametrize(
    "key",
    [
        *("password", "PASSWORD", "userPassword", "db_passwd", "token", "accessToken"),
        *("HF_TOKEN", "access_tokens", "secret", "client-secret", "Authorization", "Set-Cookie"),
        *("api_key", "apiKey", "X-API-Key", "APIKEY", "dsn", "SENTRY_DSN", "aws_secret_access_key"),
        *("private_key", "credentials", "sessionid", "session_id", "passphrase", "csrf_token"),
    ],
)
def test_secret_keys(key):
    assert is_secret(key)


@pytest.mark.parametrize(
    "key", ["audio_id", "tokens", "max_tokens", "key", "keyboard", "author", "path", "bypass", ""]
)
def test_harmless_keys(key):
    assert not is_secret(key)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]"),
        ("basic dXNlcjpwYXNzd29yZA== refused", "basic [redacted] refused"),
        (f"bad jwt {JWT} sent", "bad jwt [redacted] sent"),
        ("https://bob:s3cret@host/x?y=1", "https://[redacted]@host/x?y=1"),
        ("redis://:pw@10.0.0.1:6379/0", "redis://[redacted]@10.0.0.1:6379/0"),
        ("https://abc123@sentry.example/5", "https://[redacted]@sentry.example/5"),
        ("GET /v1?token=abc123&x=1", "GET /v1?token=[redacted]&x=1"),
        ('{"password": "hunter 22", "n": 1}', '{"password": [redacted], "n": 1}'),
        ("api_key = 'k-1 2'", "api_key = [redacted]"),
        ("key AKIAIOSFODNN7EXAMPLE leaked", "key [redacted] leaked"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted]"),
        ("hf token: sk-abcdefghijklmnopqrst", "hf token: [redacted]"),
        ("mail bob.smith+x@example.co.uk now", "mail [redacted] now"),
        ("/home/bob/audio/a.wav", "~/audio/a.wav"),
        ("/Users/bob/audio/a.wav", "~/audio/a.wav"),
        ("C:\\Users\\bob\\a.wav", "~\\a.wav"),
        (
            "x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y",
            "x [redacted]",
        ),
    ],
)
def test_secrets_in_text(text, clean):
    assert scrub(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "tokenizer has 3 tokens",
        "the basic tier failed",
        "keyboard: none",
        "http://host/path",
        "a @ b",
        "ratio 3:4 = 0.75",
    ],
)
def test_harmless_text(text):
    assert scrub(text) == text


def test_the_users_own_home_is_a_tilde():
    home = Path.home()
    assert scrub(f"{home}/a.wav missing") == "~/a.wav missing"


@pytest.mark.parametrize("home", ["/", "~", "nowhere"])
def test_a_home_that_is_none_is_left_alone(home, monkeypatch):
    monkeypatch.setenv("HOME", home)
    assert redact._home() == [] or home == "~"


def test_more_can_be_registered():
    register("badge number", "locker", pattern=r"EMP-\d+", replacement="EMP-?")
    error = ValueError("EMP-1234 is late")
    event = capture(error, context={"badgeNumber": 5, "locker_7": 1, "n": 2})
    assert event.message == "EMP-? is late"
    assert event.context == {"badgeNumber": "[redacted]", "locker_7": "[redacted]", "n": 2}
    register("only a key")
    assert is_secret("only_a_key")


def test_secrets_are_gone_from_every_part_of_an_event():
    secret = "hunter22secret"
    error = ValueError(f"password={secret}")
    error.add_note(f"tried token={secret}")

    def fail(password):
        raise error from OSError(f"https://u:{password}@host/")

    try:
        fail(secret)
    except ValueError as caught:
        event = capture(caught, context={"auth": secret, "x": {"cookie": secret}})
    assert secret not in str(event.to_dict())
