"""Does the daemon stand what strangers send, and do the readers stand damaged files.

    python -m venv st && st/bin/pip install schemathesis     # a tool, no dependency of posetrack
    python benchmarks/daemon_fuzz.py --schemathesis st/bin/schemathesis
    python benchmarks/daemon_fuzz.py --seeds 7 --attacks 100 --files 100

Three parts, each from seeds, each to its end:

* **api**: Schemathesis sends what the OpenAPI description allows and forbids, all checks on, to a
  running daemon with one stream: for every seed once with any stream's name and once with the one
  that exists, with the token; then without it; then to a daemon that has none. Streams of live
  data, which do not end, are left out: the next part asks for them.
* **daemon**: raw requests, WebSocket handshakes and messages, queries, bodies, addresses, names of
  recordings, clients that come and go, and configurations at SIGHUP (`tests/intruders.py`); in the
  end memory, threads, files, the log and the stream are looked at, after the slow were cut off.
* **files**: damaged records to convert, compare, plot, view and tracks; damaged cards, networks,
  keypoint sets and settings to what reads them (`tests/damage.py`); `SLOW_S` of processor time
  for one is a finding.

The models are tiny ones that find one person. The exit status is 1 where anything was found.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import report

sys.path.insert(0, str(report.REPOSITORY / "tests"))
from daemons import TOKEN, RunningDaemon, running, settings
from damage import Readers
from intruders import Intruder
from tiny_models import Models, make_models

ENDLESS = "/poses$|/events$|preview.mjpg$"
SLOW_S = 20.0
SLOW_CLIENTS, CUT_S = 40, 30.0
"""Who begin to ask and do not go on, and the time within which they are cut off."""


@dataclass(frozen=True)
class Way:
    """How the API is asked: with which names of streams and whether with the token, where it is
    needed.
    """

    seed: int
    names: str = "any"
    token: str = "given"

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.names} name, token {self.token}"


def ways(seeds: list[int]) -> list[Way]:
    """Every way to ask."""
    known = [Way(seed, names) for seed in seeds for names in ("any", "known")]
    return [*known, Way(seeds[0], "known", "withheld"), Way(seeds[0], "known", "not needed")]


@contextmanager
def daemon_in(
    folder: Path, models: Models, token: str | None = TOKEN, **limits: Any
) -> Iterator[RunningDaemon]:
    """A daemon with one stream that runs, in a folder of its own."""
    folder.mkdir()
    data = settings(models, folder / "media", 1, limits={"streams": 4} | limits)
    data["defaults"]["watch"] |= {"stall_s": 20.0, "restart_s": 60.0}  # others use the cores too
    data["streams"][0]["source"] = {"stride": 10}
    environment = {} if token is None else {"POSETRACK_TOKEN": token}
    with running(data, folder / "run", environment=environment) as daemon:
        daemon.wait_running("s0")
        yield daemon


def ask(tool: str, way: Way, examples: int, models: Models, folder: Path) -> dict[str, Any]:
    """One run of Schemathesis, as the result file has it."""
    with daemon_in(folder, models, None if way.token == "not needed" else TOKEN) as daemon:
        description, told = folder / "openapi.json", folder / "report.json"
        described = daemon.http.get("/openapi.json").json()
        description.write_text(json.dumps(described))
        options = folder / "schemathesis.toml"
        options.write_text('[parameters]\nstream = "s0"\n' if way.names == "known" else "")
        header = ["-H", f"Authorization: Bearer {TOKEN}"] if way.token == "given" else []
        command = [
            *(tool, "--config-file", str(options), "run", str(description)),
            *("--url", daemon.address, *header, "--seed", str(way.seed)),
            *("--max-examples", str(examples), "-c", "all", "--continue-on-failure"),
            *("--suppress-health-check", "all", "--exclude-path-regex", ENDLESS),
            *("--request-timeout", "60", "--report", "json", "--report-json-path", str(told)),
        ]
        with (folder / "output.txt").open("w") as output:
            done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=False)
        log = daemon.log.read_text("utf-8", "replace")
    text = told.read_text() if told.exists() else ""
    said = json.loads(text) if text else {"complete": False, "test_cases": {"generated": 0}}
    findings = [f"{each['code']} {each['title']}" for each in said.get("failures", [])]
    findings += [str(each)[:300] for each in said.get("errors", [])]
    if done.returncode and not findings:
        findings.append(f"exit status {done.returncode}: {output_of(folder)[-300:]}")
    if not said["complete"]:
        findings.append("not run to the end")
    findings += [f"the log has {word}" for word in ("Traceback", TOKEN) if word in log]
    return {
        "seed": way.seed,
        "names": way.names,
        "token": way.token,
        "cases": said["test_cases"]["generated"],
        "operations": said.get("operations", {}).get("tested", 0),
        "complete": said["complete"],
        "findings": findings,
        "version": said.get("schemathesis_version", ""),
    }


def output_of(folder: Path) -> str:
    """What Schemathesis printed."""
    return (folder / "output.txt").read_text("utf-8", "replace")


def attack(seeds: list[int], cases: int, models: Models, folder: Path) -> dict[str, Any]:
    """The daemon by raw sockets: cases and findings of each kind."""
    told: dict[str, Any] = {"seeds": seeds}
    with daemon_in(folder, models) as daemon:
        intruder = Intruder(daemon, folder / "media")
        slow = [socket.create_connection(address(daemon)) for _ in range(SLOW_CLIENTS)]
        began = monotonic()
        for number, client in enumerate(slow):
            client.sendall(b"POST /v1/session HTTP/1.1\r\nHost: localhost\r\n"[: 5 + number])
        for kind in intruder.kinds:
            count = max(cases // 10, 5) if kind in ("reload", "passers-by") else cases
            found: list[str] = []
            for seed in seeds:
                for case in range(count):
                    what = intruder.try_one(kind, seed * 1_000_000 + case)
                    found += [f"{kind} {seed} {case}: {each}" for each in what]
            told[kind] = {"cases": count * len(seeds), "findings": found}
            shown(f"daemon: {kind}", told[kind])
        found = [each for client in slow for each in not_cut(client, began)]
        told["slow"] = {"cases": len(slow), "findings": found}
        told["aftermath"] = {"cases": 1, "findings": intruder.aftermath()}
        shown("daemon: aftermath", told["aftermath"])
    return told


def address(daemon: RunningDaemon) -> tuple[str, int]:
    """Where a daemon listens."""
    host, port = daemon.address.removeprefix("http://").split(":")
    return host, int(port)


def not_cut(client: socket.socket, began: float) -> Iterator[str]:
    """Whether a slow client is still there after `CUT_S`."""
    with client:
        client.settimeout(max(0.1, began + CUT_S - monotonic()))
        try:
            client.recv(65536)
        except TimeoutError:
            yield f"a client that said nothing more was still there after {CUT_S:g} s"
        except OSError:
            return


def damage(seeds: list[int], cases: int, folder: Path) -> dict[str, Any]:
    """The readers: cases, how many were taken, and findings of each kind."""
    told: dict[str, Any] = {"seeds": seeds}
    folder.mkdir()
    readers = Readers(folder)
    for kind in readers.kinds:
        count = max(cases // 4, 5) if kind == "plot" else cases
        taken, found = 0, []
        for seed in seeds:
            for case in range(count):
                begin = process_time()
                try:
                    taken += readers.try_one(kind, seed * 1_000_000 + case)
                except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
                    found.append(f"{kind} {seed} {case}: {traceback.format_exc(limit=-3)}")
                if (took := process_time() - begin) > SLOW_S:
                    found.append(f"{kind} {seed} {case}: {took:.0f} s")
        told[kind] = {"cases": count * len(seeds), "taken": taken, "findings": found}
        shown(f"files: {kind}", told[kind])
    return told


def shown(what: str, row: dict[str, Any]) -> None:
    """One line of what was done, and what was found below it."""
    print(f"{what}: {row['cases']} cases, {len(row['findings'])} findings", file=sys.stderr)
    for each in row["findings"]:
        print("   ", each, file=sys.stderr)


def main() -> int:
    """Everything; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schemathesis", help="the program; without it that part is left out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--examples", type=int, default=4, help="of Schemathesis, an operation")
    parser.add_argument("--attacks", type=int, default=300, help="of a kind and seed")
    parser.add_argument("--files", type=int, default=200, help="of a kind and seed")
    parser.add_argument("--jobs", type=int, default=2, help="daemons at once")
    result = report.RESULTS / "daemon_fuzz.json"
    parser.add_argument("--json", type=Path, default=result, help="result file")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        figures = run(chosen, Path(scratch))
    table = []
    for part in ("api", "daemon", "files"):
        known = figures[part] if part == "api" else parts_of(figures[part])
        cases = sum(row["cases"] for row in known)
        table.append((part, cases, sum(len(row["findings"]) for row in known)))
    figures["cases"] = sum(cases for _, cases, _ in table)
    figures["findings"] = sum(findings for _, _, findings in table)
    report.write(chosen.json, figures)
    report.print_table("What was sent, and found", ("part", "cases", "findings"), table)
    return int(figures["findings"] > 0)


def parts_of(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a part, by kind."""
    return [row for row in told.values() if isinstance(row, dict)]


def run(chosen: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All three parts."""
    (scratch / "models").mkdir()
    models = make_models(scratch / "models")
    api: list[dict[str, Any]] = []
    if chosen.schemathesis:
        tool = str(Path(chosen.schemathesis).absolute())

        def one(numbered: tuple[int, Way]) -> dict[str, Any]:
            number, way = numbered
            row = ask(tool, way, chosen.examples, models, scratch / f"api{number}")
            shown(f"api: {way}", row)
            if row["findings"]:
                print(output_of(scratch / f"api{number}"), file=sys.stderr)
            return row

        with ThreadPoolExecutor(chosen.jobs) as pool:
            api = list(pool.map(one, enumerate(ways(chosen.seeds))))
    return {
        "seeds": chosen.seeds,
        "schemathesis": next((row.pop("version") for row in api), None),
        "api": [{k: v for k, v in row.items() if k != "version"} for row in api],
        "daemon": attack(chosen.seeds, chosen.attacks, models, scratch / "daemon"),
        "files": damage(chosen.seeds, chosen.files, scratch / "files"),
    }


if __name__ == "__main__":
    sys.exit(main())
