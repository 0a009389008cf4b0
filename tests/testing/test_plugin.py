"""The fixtures, as a user's own tests see them."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/testing.md"

pytest_plugins = ["pytester"]

# By module, and not by entry point: coverage is to see the plugin being loaded.
RUN = ("-p", "no:tenuto", "-p", "tenuto.testing.plugin", "-p", "no:asyncio", "-q")


@pytest.fixture
def run(pytester):
    def run_tests(source):
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess(*RUN)

    return run_tests


def test_a_clock_of_the_tests_own(run):
    run(
        """
        def test_day(tenuto_clock):
            tenuto_clock.sleep(86_400)
            assert tenuto_clock.monotonic() == 86_400

        def test_next_one_starts_anew(tenuto_clock):
            assert tenuto_clock.monotonic() == 0
        """
    ).assert_outcomes(passed=2)


def test_coroutines_run_in_simulated_time(run):
    run(
        """
        import asyncio

        def test_day(tenuto_clock, tenuto_run):
            async def main():
                await asyncio.gather(asyncio.sleep(86_400), tenuto_clock.async_sleep(5))
                return "done"

            assert tenuto_run(main()) == "done"
            assert tenuto_clock.monotonic() == 86_400
        """
    ).assert_outcomes(passed=1)


def test_errors_are_listed_and_go_nowhere_else(run, private_journal):
    run(
        """
        from tenuto import ErrorHandler

        def test_error(tenuto_errors):
            ErrorHandler("speech").handle_error(ValueError("odd"))
            assert [event.message for event in tenuto_errors] == ["odd"]
        """
    ).assert_outcomes(passed=1)
    assert not private_journal.exists()


def test_a_journal_of_the_tests_own_is_the_default_one(run, private_journal):
    run(
        """
        from tenuto import ErrorHandler

        def test_error(tenuto_journal):
            handler = ErrorHandler("speech")
            handler.handle_error(ValueError("odd"))
            handler.error_reporter.close()
            assert [event.message for event in tenuto_journal.events()] == ["odd"]
        """
    ).assert_outcomes(passed=1)
    assert not private_journal.exists()


def test_the_fixtures_introduce_themselves(pytester):
    told = pytester.runpytest_inprocess(*RUN[:-1], "--fixtures").stdout.str()
    for name in ("tenuto_clock", "tenuto_run", "tenuto_errors", "tenuto_journal"):
        assert name in told


def test_the_page_about_testing_is_a_test_module_that_passes(run):
    snippets = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    run("\n".join(snippets)).assert_outcomes(passed=2)


def test_a_whole_suite_can_be_kept_from_the_users_journal(pytester, private_journal):
    pytester.makeini("[pytest]\nusefixtures = tenuto_journal")
    pytester.makepyfile(
        """
        from tenuto import ErrorHandler

        def test_error():
            handler = ErrorHandler("speech")
            handler.handle_error(ValueError("odd"))
            handler.error_reporter.close()
        """
    )
    pytester.runpytest_inprocess(*RUN).assert_outcomes(passed=1)
    assert not private_journal.exists()
