"""What the documents say is tried: snippets run, links lead somewhere, the example works."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHER_PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "samples/README.md"]


def _snippets(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def _name(page):
    return str(page.relative_to(ROOT))


def _no_answer(audio):
    raise ConnectionError("this is what the page is about")


@pytest.mark.parametrize("page", [p for p in PAGES if _snippets(p)], ids=_name)
def test_the_snippets_of_a_page_run_one_after_the_other(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    namespace = {"__name__": "snippet", "remote": SimpleNamespace(transcribe=_no_answer)}
    for number, snippet in enumerate(_snippets(page), start=1):
        exec(compile(snippet, f"{_name(page)}#{number}", "exec"), namespace)


@pytest.mark.parametrize("page", PAGES + OTHER_PAGES, ids=_name)
def test_the_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{_name(page)} links to {target}"


def test_the_example_tells_its_whole_story():
    pytest.importorskip("soundfile", reason="the extra audio is not installed")
    example = runpy.run_path(str(ROOT / "docs/examples/audio_enhancement.py"))
    with example["enhancement_service"]() as address:
        story = example["run"](address)
    assert story == {
        "recovering": "01 had then leisure",
        "recovered": True,
        "answered after two failures": True,
        "failures before the circuit opened": 5,
        "done here while it is open": True,
        "enhanced by": "basic",
        "same length": True,
    }
