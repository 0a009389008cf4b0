"""People are told of what is news: by mail and by webhook, seldom, in few words, and for sure."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from email import message_from_bytes, policy
from itertools import pairwise

import pytest

from tenuto import TenutoError
from tenuto.capture import capture
from tenuto.errors import ConfigurationError
from tenuto.journal import Transition, open_journal
from tenuto.reporting.delivery import delivery
from tenuto.reporting.notify import NotifyReader

from .webhook import Webhook

pytest.importorskip("apprise", reason="the extra notify is not installed")


@pytest.fixture
def webhook():
    made = Webhook()
    yield made
    made.stop()


@pytest.fixture
def way(webhook, journal):
    return delivery(journal, NotifyReader(webhook.url, journal))


def circuit(journal, *states, name="hub"):
    for before, after in pairwise(states):
        journal.record(Transition(policy=name, before=before, after=after, reason="timeout"))


def test_a_new_fault_is_told_once_with_its_count(webhook, report, way, clock):
    report(times=500)
    assert not way.deliver()
    clock.advance(60)
    assert way.deliver()
    (line,) = webhook.lines()
    assert line.startswith("new: ConnectionError: down (speech, infrastructure, ")
    assert ", 500 times" in line
    assert "1 new" in webhook.messages[0]["title"]
    for _ in range(20):
        clock.advance(10)
        report(times=50)
        assert way.deliver()
    assert len(webhook.messages) == 1


def test_everything_in_a_window_is_one_message(webhook, journal, report, way, clock):
    for number in range(6):
        report(error=type(f"Error{'x' * number}", (TenutoError,), {}))
        assert not way.deliver()
        clock.advance(9)
    clock.advance(6)
    assert way.deliver()
    assert len(webhook.lines()) == 6
    assert "6 new" in webhook.messages[0]["title"]


def test_a_fault_that_is_back_after_a_quiet_time_is_told_again(webhook, report, way, clock):
    report()
    clock.advance(60)
    assert way.deliver()
    clock.advance(1800)
    report()  # too soon to be news
    assert way.deliver()
    clock.advance(2 * 3600)
    report()
    assert not way.deliver()
    clock.advance(60)
    assert way.deliver()
    first, second = (message["message"] for message in webhook.messages)
    assert first.startswith("new: ")
    assert second.startswith("back: ConnectionError: down (speech, infrastructure, ")
    assert second.endswith(", after 2 h of quiet)")


def test_a_circuit_that_flaps_is_one_line(webhook, journal, way, clock):
    circuit(journal, "closed", "open", "half_open", "open", "half_open", "closed")
    circuit(journal, "closed", "open", name="mail")
    clock.advance(60)
    assert way.deliver()
    assert webhook.lines() == [
        "circuit hub: opened 2 times (timeout), closed again",
        "circuit mail: opened (timeout)",
    ]
    assert webhook.messages[0]["title"].endswith(": 1 circuit open, 1 circuit closed again")


def test_a_circuit_that_closes_later_is_told_too(webhook, journal, way, clock):
    circuit(journal, "closed", "open")
    clock.advance(60)
    assert way.deliver()
    circuit(journal, "open", "half_open", "closed")
    clock.advance(60)
    assert way.deliver()
    assert webhook.messages[1]["message"] == "circuit hub: closed again"


def test_a_limit_that_changes_is_no_news(webhook, journal, way, clock):
    circuit(journal, "4 at once", "8 at once")
    assert way.deliver()
    assert webhook.messages == []


def test_a_wrong_setting_comes_first_and_again_in_the_next_run(webhook, report, way, clock):
    wrong = type("WrongSetting", (ConfigurationError,), {})
    report()
    report(error=wrong)
    clock.advance(60)
    assert way.deliver()
    assert webhook.lines()[0].startswith("wrong setting: ")
    clock.advance(600)
    for _ in range(10):  # a run that is started over and over says so once
        report(error=wrong)
        way.deliver()
        clock.advance(30)
    assert way.deliver()
    assert len(webhook.messages) == 2


def test_what_was_cancelled_is_nobodys_news(webhook, report, way):
    report(error=KeyboardInterrupt)
    assert way.deliver()
    assert webhook.messages == []


def test_a_process_that_ends_in_the_middle_of_a_window_loses_nothing(
    webhook, journal, report, way, clock
):
    report("first")
    assert not way.deliver()
    clock.advance(40)
    report("second", error=TenutoError)
    with open_journal(journal.path, clock=clock) as again:
        successor = delivery(again, NotifyReader(webhook.url, again))
        assert not successor.deliver()
        clock.advance(19)
        assert not successor.deliver()
        clock.advance(1)  # a minute after the first, not after the start of the second process
        assert successor.deliver()
    assert len(webhook.lines()) == 2
    assert way.deliver()
    assert len(webhook.messages) == 1


def test_what_could_not_be_sent_is_sent_later_and_is_no_news_itself(
    webhook, journal, report, way, clock
):
    webhook.well = False
    report()
    for _ in range(60):
        assert not way.deliver()
        clock.advance(60)
    assert "could not be sent" in way.trouble
    assert webhook.asked < 20  # it is left alone for longer each time
    assert sum(group.count for group in journal.groups()) == 1
    webhook.well = True
    clock.advance(300)
    assert way.deliver()
    assert len(webhook.lines()) == 1
    assert journal.losses == {}


def test_a_flood_of_new_faults_is_a_bounded_message_and_one_in_a_window(
    webhook, journal, way, clock
):
    event = capture(TenutoError("no"), clock=clock)
    for number in range(1_500):
        journal.append(replace(event, id=f"{number:04}", fingerprint=f"{number:04}"))
    clock.advance(60)
    assert not way.deliver()
    assert len(webhook.lines()) == 21
    assert webhook.lines()[-1] == "and 980 more: tenuto errors"
    clock.advance(59)
    assert not way.deliver()
    clock.advance(2)
    assert way.deliver()
    assert webhook.messages[1]["message"].endswith("and 480 more: tenuto errors")


def test_a_clock_that_is_far_ahead_holds_nothing_back(webhook, journal, way, clock):
    event = capture(TenutoError("no"), clock=clock)
    journal.append(replace(event, time=clock.now() + 86_400))
    assert not way.deliver()
    clock.advance(60)
    assert way.deliver()
    assert len(webhook.lines()) == 1


def test_text_from_outside_stays_in_its_line_and_rings_no_bell(webhook, report, way, clock):
    report("one\ntwo \x1b[31m @everyone <!channel> <@U1> tell@home " + "x" * 500)
    clock.advance(60)
    assert way.deliver()
    (line,) = webhook.lines()
    assert "one\\ntwo \\x1b[31m @ everyone < !channel> < @ U1> tell@home" in line
    assert len(line) <= 240


def test_secrets_are_not_told(webhook, report, way, clock):
    report("login failed: password=hunter2")
    clock.advance(60)
    assert way.deliver()
    assert "hunter2" not in str(webhook.messages)


def test_a_reader_is_called_the_same_each_time_and_without_its_secrets(journal, webhook):
    url = "mailto://me:hunter2@mail.example"
    names = {NotifyReader(url, journal).reader.name for _ in range(2)}
    (name,) = names
    assert name.startswith("notify mailto ")
    assert "hunter2" not in name
    assert NotifyReader(webhook.url, journal).reader.name != name


def test_a_mail_arrives(journal, report, clock):
    controllers = pytest.importorskip("aiosmtpd.controller", reason="no server of mail here")
    mails = []

    class Inbox:
        async def handle_DATA(self, server, session, envelope):  # noqa: N802
            mails.append(message_from_bytes(envelope.content, policy=policy.default))
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = controllers.Controller(Inbox(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{port}?mode=insecure&from=tenuto@home.example&to=me@home.example"
        report("<b>down</b> & out")
        clock.advance(60)
        assert delivery(journal, NotifyReader(url, journal)).deliver()
    finally:
        controller.stop()
    (mail,) = mails
    assert "1 new" in mail["Subject"]
    assert mail["To"] == "me@home.example"
    assert "new: ConnectionError: <b>down</b> & out" in (
        mail.get_body(("plain",)).get_content().replace("\n", " ")
    )


@pytest.mark.parametrize("url", ["nonsense", "nosuch://host", ""])
def test_a_url_that_is_none_is_refused(journal, url):
    with pytest.raises(ConfigurationError, match="Apprise"):
        NotifyReader(url, journal)


@pytest.mark.parametrize("setting", ["window", "quiet"])
def test_a_time_that_makes_no_sense_is_refused(journal, webhook, setting):
    with pytest.raises(ConfigurationError, match=setting):
        NotifyReader(webhook.url, journal, **{setting: -1})


def test_without_the_extra_the_error_names_it(journal, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError, match=r"tenuto\[notify\]"):
        NotifyReader("json://host", journal)
