"""What the system says of its memory, and how it is shared out."""

from __future__ import annotations

import mmap
import os
import resource
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from tenuto.batch.memory import LEAST, Machine, Shares, resident, share_out

from .conftest import ledger_of, record

GB = 1 << 30

MEMINFO = "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:    8388608 kB\n"
VMSTAT = "oom_kill 7\npgfault 3\n"


@pytest.fixture
def system(tmp_path):
    """A file system of a made-up machine: ``system(path, text)`` adds a file."""

    def add(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    add("proc/meminfo", MEMINFO)
    add("proc/vmstat", VMSTAT)
    add.machine = Machine(tmp_path)
    return add


def test_free_is_what_could_be_taken_and_not_only_what_lies_idle(system):
    assert system.machine.free() == 8 * GB
    assert system.machine.kills() == 7


def test_a_container_has_what_is_left_of_its_own(system):
    system("proc/self/cgroup", "0::/work/here\n")
    system("sys/fs/cgroup/work/here/memory.max", "max\n")
    system("sys/fs/cgroup/work/memory.max", f"{4 * GB}\n")
    system("sys/fs/cgroup/work/memory.current", f"{2 * GB}\n")
    system("sys/fs/cgroup/work/memory.stat", f"anon 5\ninactive_file {GB}\n")
    system("sys/fs/cgroup/work/here/memory.events", "low 0\noom 3\noom_kill 2\n")
    assert system.machine.free() == 3 * GB
    assert system.machine.kills() == 2


def test_so_it_is_with_groups_of_the_first_version(system):
    system("proc/self/cgroup", "5:cpu:/a\n4:memory:/job\n0::/\n")
    base = "sys/fs/cgroup/memory/job"
    system(f"{base}/memory.limit_in_bytes", f"{GB}\n")
    system(f"{base}/memory.usage_in_bytes", f"{GB // 2}\n")
    system(f"{base}/memory.stat", f"inactive_file 1\ntotal_inactive_file {GB // 4}\n")
    system(f"{base}/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    assert system.machine.free() == GB - GB // 4
    assert system.machine.kills() == 4


def test_a_group_that_is_over_its_limit_has_nothing_left(system):
    system("proc/self/cgroup", "0::/\n")
    system("sys/fs/cgroup/memory.max", "5\n")
    system("sys/fs/cgroup/memory.current", "9\n")
    system("sys/fs/cgroup/memory.stat", "anon 9\n")
    assert system.machine.free() == 0


def test_a_system_that_tells_nothing_is_not_limited(tmp_path):
    assert Machine(tmp_path).free() is None
    assert Machine(tmp_path).kills() == 0


def test_this_system_tells():
    free = Machine().free()
    assert free is None or free > 0
    assert Machine().kills() >= 0


@pytest.mark.parametrize(
    ("free", "jobs", "limit", "shares"),
    [
        (20 * GB, 4, None, Shares(4, 18 * GB // 4, 18 * GB)),
        (3 * GB, 8, None, Shares(2, int(2.7 * GB) // 2, int(2.7 * GB) // 2 * 2)),
        (GB // 4, 8, None, Shares(1, LEAST, LEAST)),
        (None, 8, None, Shares(8, None, None)),
        (20 * GB, 4, 2 * GB, Shares(4, 2 * GB, 18 * GB)),
        (GB, 4, 2 * GB, Shares(4, 2 * GB, 2 * GB)),
        (None, 4, 2 * GB, Shares(4, 2 * GB, 2 * GB)),
    ],
)
def test_memory_is_shared_out_among_as_many_as_it_is_enough_for(free, jobs, limit, shares):
    assert share_out(free, jobs, limit) == shares


def test_files_in_memory_do_not_count_but_shared_memory_does(tmp_path):
    before = resident(os.getpid())
    if before is None:
        pytest.skip("this system does not tell what a process takes")
    size = 64 << 20
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) == 0
        assert resident(os.getpid()) < before + size // 2
    with mmap.mmap(-1, size) as shared:
        shared.write(bytes(size))
        assert resident(os.getpid()) > before + size // 2


def test_nobody_knows_what_a_process_takes_that_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert resident(process.pid) is None


LIMITED = """
import mmap, resource, sys
from tenuto.batch.memory import be_first_to_go, keep_to
be_first_to_go()
print(open("/proc/self/oom_score_adj").read().strip())
keep_to(200 << 20)
try:
    bytearray(400 << 20)
except MemoryError:
    print("refused")
with open(sys.executable, "rb") as file:
    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
keep_to(900 << 20)
print(len(bytearray(400 << 20)) >> 20)
resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20))
keep_to(900 << 20)
print(resource.getrlimit(resource.RLIMIT_DATA)[0] >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits private memory")
def test_a_process_is_held_to_its_limit_which_may_be_raised():
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
    )
    score, *rest = ran.stdout.split()
    assert int(score) >= 500
    assert rest == ["refused", "400", "300"]


def test_the_limit_of_the_tests_themselves_is_as_it_was():
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY


OVERRUN = """
import sys
from pathlib import Path
from tenuto.batch import Batch

if __name__ == "__main__":
    Path(sys.argv[1], "cgroup.procs").write_text("0")
    batch = Batch(ladder=("gorged", "steady"), meter="none", jobs=1, memory_limit=8 << 30)
    print(batch.run([sys.argv[2]], sys.argv[3]).tiers)
"""


@pytest.fixture
def group():
    """The folder of a control group whose processes may have 800 MB together."""
    groups = Path("/sys/fs/cgroup")
    first = (groups / "memory/memory.limit_in_bytes").exists()
    folder = groups / ("memory" if first else "") / f"tenuto-test-{os.getpid()}"
    try:
        folder.mkdir()
        limit = folder / ("memory.limit_in_bytes" if first else "memory.max")
        limit.write_text(str(800 << 20))
    except OSError as error:
        pytest.skip(f"no control group for memory can be made here: {error}")
    yield folder
    until = time.monotonic() + 60
    while folder.exists():  # the last of its processes may be on its way out
        with suppress(OSError) if time.monotonic() < until else nullcontext():
            folder.rmdir()
        time.sleep(0.02)


def test_where_the_system_kills_it_kills_a_worker_and_that_is_told(tmp_path, plugin, group):
    script = tmp_path / "overrun.py"
    script.write_text(OVERRUN)
    source = record(tmp_path / "in/a.wav")
    command = [sys.executable, script, group, source, tmp_path / "out"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (ran.returncode, ran.stdout) == (0, "Counter({'steady': 1})\n"), ran.stderr
    line = ledger_of(tmp_path / "out")["a.wav"]
    assert line["reason"] == "gorged: out of memory: killed by the system"
    assert len(line["errors"]) == 2
