"""Errors collected in a list, and written nowhere else."""

import threading

import pytest

from tenuto import ErrorHandler
from tenuto.journal import open_journal
from tenuto.reporting import ErrorReporter
from tenuto.testing import captured_errors


def test_the_errors_of_a_block_are_listed_as_they_come():
    handler = ErrorHandler("speech")
    with captured_errors() as errors:
        assert errors == []
        handler.handle_error(ValueError("odd"), {"audio_id": "a17"})
        assert [(event.type, event.message) for event in errors] == [("ValueError", "odd")]
        handler.handle_error(KeyError("gain"))
        assert [event.type for event in errors] == ["ValueError", "KeyError"]
    assert errors[0].context == {"audio_id": "a17"}
    assert errors[0].service == "speech"


def test_reporters_made_in_the_block_and_other_threads_count_too():
    with captured_errors() as errors:
        thread = threading.Thread(target=lambda: ErrorReporter().report(ValueError()))
        thread.start()
        thread.join()
    assert len(errors) == 1


def test_the_users_journal_is_not_touched(private_journal):
    with captured_errors():
        ErrorHandler("speech").handle_error(ValueError("odd"))
    assert not private_journal.exists()


def test_neither_is_one_the_handler_was_given(tmp_path):
    with open_journal(tmp_path / "given") as journal:
        handler = ErrorHandler("speech", journal=journal)
        with captured_errors():
            handler.handle_error(ValueError("odd"))
        assert journal.events() == []
        handler.handle_error(ValueError("after the block"))
        assert [event.message for event in journal.events()] == ["after the block"]
        handler.error_reporter.close()  # or it would tell the log during another test


def test_the_log_is_told_nothing(capsys):
    handler = ErrorHandler("speech")
    with captured_errors():
        handler.handle_error(ValueError("odd"))
    handler.error_reporter.close()
    assert capsys.readouterr() == ("", "")


def test_an_error_that_two_layers_handle_is_one_with_the_context_of_both():
    handler = ErrorHandler("speech")
    error = ValueError("odd")
    with captured_errors() as errors:
        handler.handle_error(KeyError("another"))
        handler.handle_error(error, {"layer": "inner"})
        handler.handle_error(error, {"step": 2})
    assert [event.context for event in errors] == [{}, {"layer": "inner", "step": 2}]


def test_repeats_are_listed_one_by_one():
    handler = ErrorHandler("speech")
    with captured_errors() as errors:
        for _ in range(30):
            handler.handle_error(ValueError("the same"))
    assert len(errors) == 30


def test_what_the_policies_of_a_handler_do_is_in_the_journal_of_the_block():
    handler = ErrorHandler("speech")
    with captured_errors() as errors:
        breaker = handler.circuit_breaker(failure_threshold=1, name="hub")
        with pytest.raises(ConnectionError), breaker:
            raise ConnectionError("down")
        transitions = handler.error_reporter.journal.transitions()
    assert [each.policy for each in transitions] == ["hub"]
    assert errors == []  # nobody gave up on anything


def test_blocks_within_blocks_keep_their_errors_apart():
    handler = ErrorHandler("speech")
    with captured_errors() as outer:
        with captured_errors() as inner:
            handler.handle_error(ValueError("inner"))
        handler.handle_error(ValueError("outer"))
    assert [event.message for event in inner] == ["inner"]
    assert [event.message for event in outer] == ["outer"]


def test_a_block_that_fails_leaves_nothing_behind(private_journal):
    handler = ErrorHandler("speech")
    with pytest.raises(ZeroDivisionError), captured_errors():
        _ = 1 / 0
    handler.handle_error(ValueError("kept"))
    handler.error_reporter.close()
    with open_journal(private_journal) as journal:
        assert [event.message for event in journal.events()] == ["kept"]


def test_blocks_may_be_left_in_any_order(private_journal):
    one, two = captured_errors(), captured_errors()
    reporter = ErrorReporter("speech", log=False)
    first = one.__enter__()
    second = two.__enter__()
    one.__exit__(None, None, None)
    reporter.report(ValueError("in the second"))
    two.__exit__(None, None, None)
    assert ([*first], [event.message for event in second]) == ([], ["in the second"])
    reporter.report(ValueError("after both"))
    with open_journal(private_journal) as journal:
        assert [group.message for group in journal.groups()] == ["after both"]
