"""The proof by mutation: which changes are made, and what is said of those nobody notices."""

import pytest

from proof import mutation, trial
from proof.mutants import mutants_of


@pytest.fixture
def changes(tmp_path):
    """``(where, was, now)`` of every mutant of a source."""

    def of(source):
        path = tmp_path / "made_up.py"
        path.write_text(source)
        return [mutant.key for mutant in mutants_of(path)]

    return of


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["x = a <= b", "x = a >= b"]),
        ("x = a is b", ["x = a is not b"]),
        ("x = a + b", ["x = a - b"]),
        ("x = a and b", ["x = a or b"]),
        ("x = not a", ["x = a"]),
        ("x = 60.0", ["x = 61.0"]),
        ("x = True", ["x = False"]),
        ("x = 'words'", []),
        ("x = min(a, b)", ["x = max(a, b)"]),
        ("x = math.floor(a)", ["x = math.ceil(a)"]),
        ("x = math.inf", ["x = -math.inf"]),
        ("x = a if b else c", ["x = a if not b else c"]),
        ("x += y", ["x -= y", "x = y", "pass"]),
        ("x.y = z", ["pass"]),
        ("x: int = y", []),
        ("x.y: int = z", ["pass"]),
        ("f(x)", ["pass"]),
        ("if a: b", ["if not a:"]),
        ("while a: break", ["while not a:", "continue"]),
        ("for a in b: continue", ["break"]),
        ("raise x", ["pass"]),
    ],
)
def test_what_a_line_is_changed_into(changes, source, expected):
    assert [now for _, _, now in changes(source)] == expected


def test_a_change_is_known_by_its_room_whatever_the_line(changes):
    source = "class A:\n    def f(self) -> 1 | 2:\n        return self.x\n"
    expected = [("made_up.A.f", "return self.x", "return None")]
    assert changes(source) == changes("\n\n" + source) == expected


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with a test of its own, to be judged with a list of explanations."""
    package = tmp_path / "machine_made_up"
    monkeypatch.setattr(mutation, "_MACHINES", package)
    monkeypatch.setattr(mutation, "_EXPLAINED", tmp_path / "equivalent.toml")
    monkeypatch.setattr(trial, "_PACKAGE", "machine_made_up")
    monkeypatch.setattr(trial, "_TESTS", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "limit.py").write_text("def is_small(x):\n    return x < 3\n")
    (tmp_path / "test_limit.py").write_text(
        "from machine_made_up.limit import is_small\n\n\n"
        "def test_limit():\n    assert is_small(2) and not is_small(4)\n"
    )

    def judge(explained=""):
        (tmp_path / "equivalent.toml").write_text(explained)
        return mutation.main([])

    return judge


EXPLAINED = """
[[equivalent]]
where = "limit.is_small"
was = "return x < 3"
now = "{}"
why = "it is made up"
"""


def test_a_survivor_has_to_be_explained(machine, capsys):
    assert machine() == 1
    told = capsys.readouterr().out
    assert "limit.py:2, in is_small" in told
    assert "+ return x <= 3" in told
    assert "- return x < 3" in told


def test_explanations_have_to_be_of_survivors(machine, capsys):
    both = EXPLAINED.format("return x <= 3") + EXPLAINED.format("return x < 4")
    assert machine(both) == 0
    assert "2 make no difference, 0 unexplained" in capsys.readouterr().out
    assert machine(both + EXPLAINED.format("return x >= 3")) == 1
    assert "does not survive" in capsys.readouterr().out


def test_tests_that_fail_as_it_is_prove_nothing(machine, tmp_path):
    (tmp_path / "test_limit.py").write_text("def test_limit():\n    assert False\n")
    with pytest.raises(SystemExit, match="fail as it is"):
        machine()
