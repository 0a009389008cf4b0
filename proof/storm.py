"""``python -m proof.storm``: a million equal errors from four processes, counted to the last one.

Each process reports its share through an ``ErrorReporter``, in one thread or in many, begun by
fork or by spawn. In the end the counts have to be exact, and neither the memory of a process nor
the journal's place on disk may have grown with their number.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tenuto import ErrorReporter, open_journal

__all__ = ["main"]

MOST_MEMORY = 24  # MB that a process may grow by in a storm: caches and pages of SQLite
MOST_DISK = 64  # MB of the whole folder, at any time
_SETTLING = 2_000  # errors until whatever is allocated once has been


def fail(depth: int, name: str) -> None:
    """Raise, from below a few frames with variables."""
    values, text = list(range(depth)), name * 3
    if depth == 0:
        raise ValueError(f"{name} cannot be decoded")
    fail(depth - 1, name)
    del values, text


def storm(folder: str, threads: int, share: int, pipe: Connection) -> None:
    """Report ``share`` errors from each of ``threads``; tells by how many KB memory has grown."""
    with open_journal(folder) as journal:
        reporter = ErrorReporter("storm", journal=journal, log=False)

        def report(count: int) -> None:
            for number in range(count):
                try:
                    fail(8, "the recording")
                except ValueError as error:
                    reporter.report(error, {"number": number})

        settling = min(_SETTLING, share // 2)
        _in_threads(threads, report, settling)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _in_threads(threads, report, share - settling)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reporter.close()
        pipe.send((after - before, dict(journal.losses)))
    pipe.close()


def _in_threads(threads: int, report: Callable[[int], None], count: int) -> None:
    running = [threading.Thread(target=report, args=(count,)) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def _size(folder: Path) -> float:
    """MB in all files below ``folder``."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # a spool that has just been moved
            continue
    return total / 2**20


def wrongs(folder: Path, options: argparse.Namespace) -> list[str]:
    """Let the storm pass; what is not as it should be."""
    share = options.errors // (options.processes * options.threads)
    total = share * options.processes * options.threads
    context = multiprocessing.get_context(options.start)
    heard, children = [], []
    begun = time.monotonic()
    for _ in range(options.processes):
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=storm, args=(str(folder), options.threads, share, sender))
        child.start()
        sender.close()
        heard.append(receiver)
        children.append(child)
    disk = 0.0
    while any(child.is_alive() for child in children):
        disk = max(disk, _size(folder))
        wait([child.sentinel for child in children], timeout=0.2)
    seconds = time.monotonic() - begun
    found = [f"a process ended with {each.exitcode}" for each in children if each.exitcode]
    if found:
        return found
    told = [receiver.recv() for receiver in heard]
    memory = max(grown for grown, _ in told) / 1024
    found += [f"loss: {reason}" for _, losses in told for reason in losses]
    with open_journal(folder) as journal:
        groups = journal.groups()
        whole = len(journal.events(limit=1 << 30))
        found += journal.check()
        found += [f"drop: {reason}" for reason in journal.drops()]
    counts = [group.count for group in groups]
    if counts != [total]:
        found.append(f"counted {counts}, and not [{total}]")
    if memory > MOST_MEMORY:
        found.append("memory has grown with the number of errors")
    if disk > MOST_DISK:
        found.append("the journal has grown with the number of errors")
    print(
        f"{total} errors from {options.processes} processes ({options.start}) of "
        f"{options.threads} threads: counted {sum(counts)} in {len(groups)} group, "
        f"{whole} kept whole; at most {disk:.1f} MB of disk; "
        f"a process grew by {memory:.1f} MB at most; {total / seconds:.0f} errors a second"
    )
    return found


def main(arguments: list[str] | None = None) -> int:
    """Storm, and look; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", choices=["fork", "spawn"], default="spawn")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        found = wrongs(Path(folder), options)
    print("\n".join(found) or "exact, and bounded")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
