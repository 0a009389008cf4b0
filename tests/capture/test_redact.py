"""Nothing secret leaves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenuto.capture import capture, redact, register, scrub, secret_names
from tenuto.capture.clean import _VARIABLE
from tenuto.capture.redact import is_secret

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFU"


@pytest.fixture(autouse=True)
def registry_as_it_was(monkeypatch):
    for name in ("_WORDS", "_RUNS"):
        monkeypatch.setattr(secret_names, name, set(getattr(secret_names, name)))
    monkeypatch.setattr(redact, "_rules", list(redact._rules))
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


SECRET = "hunter2X9"


@pytest.mark.parametrize(
    "text",
    [
        "accessToken=@ next",
        "sessionToken: '@'",
        "{'client_secret': '@', 'n': 1}",
        r"{\"password\": \"@\", \"n\": 1}",
        'password = """a\n@"""',
        "password = '''a\n@'''",
        r'password="ab\"@"',
        "password:\n  @",
        "password: |\n  @",
        "os.environ['DB_PASSWORD'] = '@'",
        'password: str = "@"',
        "api_token: str | None = '@'",
        "assert token == '@'",
        "token != '@'",
        "https://h/x?X-Amz-Signature=@&b=1",
        "https://h/x?sig=@%3D&se=2026",
        "postgresql://bob:p@@@db/x",
        "postgres://h/db?user=b&password=@",
        "Server=h;User Id=sa;Password=@;Database=x",
        "host=h,password=@,user=u",
        "message: token=@",
        'Authorization: Digest username="bob", response="@"',
        "Authorization: AWS4-HMAC-SHA256 Credential=A/b, Signature=@",
        "Proxy-Authorization: Basic dXNlcjpQ@==",
        "Cookie: sid=@; other=@",
        "Set-Cookie: a=@; Path=/",
        "Command '['curl', '--token', '@']' returned 1",
        "ffmpeg --password @ -i x",
        "tool --api-key=@ x",
        "<password>@</password>",
        '<ns:apiKey type="x">@</ns:apiKey>',
        "api key: @",
        "Secret Key = @",
        "token=ab,@ x",
        "password=ab;@",
        "password=ab'@",
        "password=('@', 'x')",
        "password={@}",
        'tokens --secret "@"',
        "SECRET_KEY=@",
        "AccountKey=@==;EndpointSuffix=x",
        "bearer @abcdefg",
        "auth=@",
        "db_pass=@",
        "token => '@'",
        '"token" := "@"',
        "f(password=b'@')",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n@\n-----END PGP PRIVATE KEY BLOCK-----",
        "-----BEGIN EC PRIVATE KEY-----\n@ and cut off here",
        "AIza@abcdefghijklmnopqrstuv",
        "hf_@abcdefghijklmnop",
        "sk_live_@abcdefghijklmnop",
        "SG.@abcdefghijklmnop.q",
        "ya29.@abcdefghijklmnop",
        "github_pat_@abcdefghijklmnop",
        "mail jörg.@@beispiel.de",
        r"'C:\\Users\\@\\a.wav'",
        "C:\\Users\\Bob @\\a.wav",
        "file:///home/@/a.wav",
        "C:/Users/@/a.wav",
        'pass= token: "@"',
        'password= token="@"',
        "password= os.environ['DB_PASSWORD'] = '@'",
        "password= --secret @ x",
        '"password":" token: "@"',
        "'password': ' {'token': '@'}",
        "password=' os.environ['DB_PASSWORD'] = '@'",
        r"password=\" {\"token\": \"@\"}",
        "password= <token>@</token>",
        "password= token: secret: api_key = '@'",
        "Bearer --secret @ x",
        '--secret token: "@"',
        "pass=( os.environ['DB_PASSWORD'] = '@'",
        "first line\nsecond\n  password=@\nlast",
    ],
)
def test_no_form_of_a_secret_in_a_text_is_kept(text):
    text = text.replace("@@@", f"x@{SECRET}@").replace("@@", f"{SECRET}@")
    if SECRET not in text:
        text = text.replace("@", SECRET)
    assert SECRET in text
    shown = scrub(text)
    assert SECRET not in shown
    assert scrub(shown) == shown
    assert SECRET not in scrub(f"{text}\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        "the basic processing tier",
        "bearer authentication required",
        "low_pass=8000",
        "max_tokens=5",
        "pass: 3 of 4",
        "signature: mismatch",
        "auth: refused",
        "author: bob",
        "std::vector::at",
        "primary_key=5",
        "{'rate': 16000}",
        "<Job object at 0x7f>x</Job>",
        "--verbose yes",
        "password=<bytes of 5>",
        "token=",
        "secret: ",
        "sk-1 and hf_2",
    ],
)
def test_what_only_looks_like_a_secret_is_kept(text):
    assert scrub(text) == text


UNITS = [
    *("a", "-", "a-", "a.", "a@", "@", "://", "a://b", "=", "a=", "1:", ": ", "a a", " \n", "é"),
    *(
        "token=",
        "token='",
        'token="\\',
        "token=[",
        "token=,a",
        "token=a,",
        "token=|\n",
        "password:",
    ),
    *("'", '"', "\\", '\\"', "eyJ.", "eyJa.", "-----BEGIN PRIVATE KEY-----", "bearer ", "basic "),
    *("bearer aaaaaaaa", "basic aaaaaaaa", "/home/", "C:\\Users\\", "C:\\Users\\a ", "--token "),
    *("--a", "<a", "<token>", "<token ", "</", "authorization: digest ", "cookie: a=", "a.b@c."),
    *("sk-", "ghp_", "AKIA", "api key", "token=str=", "../", "~/", "x.wav", "a_1", "e-", "`", "“"),
]


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_text_of_anything_is_no_trouble(unit):
    # What takes time with the square of the length would not end here.
    text = f"=:@</--://'{unit}" + unit * (100_000 // len(unit))
    assert len(scrub(text)) < 1_500_000
    # A message is cut before it is cleaned. Here it is not: the pattern itself has to hold.
    assert len(_VARIABLE.sub("", text[:50_000])) < 50_000


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
    register("...")  # no word at all
    assert not is_secret("...")


def test_a_registered_name_is_found_in_text_as_well():
    register("badge number")
    assert scrub("badge_number=77, badge: 5") == "badge_number=[redacted], badge: 5"


def test_a_pattern_that_is_none_is_refused_at_once():
    before = list(redact._rules)
    with pytest.raises(re.error):
        register("locker", pattern="(")
    assert redact._rules == before
    assert not is_secret("locker")


def test_of_a_pattern_with_a_group_only_that_is_replaced():
    register(pattern=r"badge (\d+)|(x)", replacement=r"\1?")
    assert scrub("badge 17, no badge x") == r"badge \1?, no badge x"


def test_where_two_rules_meet_it_is_a_secret():
    register(pattern="b+", replacement="B")
    register(pattern="bc", replacement="C")
    register(pattern="b", replacement="B")
    assert scrub("abbc ab") == "a[redacted] aB"


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


def test_secrets_deep_in_containers_notes_and_groups_are_gone():
    secret = "hunter22secret"
    deep = [{"a": ({"api_key": secret}, [("Authorization", secret)], f"token={secret}")}]
    member = OSError(f"Cookie: sid={secret}")
    member.add_note(f"several\nlines\npassword: {secret}")

    def fail(deep, url):
        raise ExceptionGroup(f"GET {url}", [member])

    try:
        fail(deep, f"https://h/x?sig={secret}")
    except ExceptionGroup as caught:
        event = capture(caught, context={"deep": deep, f"--token {secret}": 1})
    assert secret not in str(event.to_dict())
    assert event.context["deep"][0]["a"][0] == {"api_key": "[redacted]"}


def test_a_quotation_that_is_never_closed_is_taken_to_its_end():
    assert scrub("password='never closed, and more") == "password=[redacted]"
