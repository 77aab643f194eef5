"""The HTTP side: a gateway process on loopback (embedded SQLite, synchronous=FULL), asked by wrk over 16 connections.

`python -m benchmarks.api` prints one line a figure, with 10,000 and with 1,000,000 resources stored; the two take turns, and the best of five rounds
counts, because the machine's speed varies. Bars: token 300/s, read by id 3,000/s, poll with nothing new 3,000/s, search of 50 Tasks 800/s, and with a
million no figure below 80 % of that with ten thousand. Beside the rate stands what an answer costs in time of the gateway's processor,
which other programs disturb less. Every answer that shows records leaves its AuditEvent, as always. Assertions for the tokens
are signed beforehand, by a process of its own. `--stores DIR` keeps the stores for the next run; filling the large one takes some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

from benchmarks.journey import _free_port
from gateway.fhir.search import terms
from gateway.smart.access import digest
from gateway.store.interface import ALL, Change, ClientRow, NewVersion, TokenRow, TransitionRow
from gateway.store.sqlite import open_sqlite

Json = dict[str, Any]

AGENCY, CLIENT, TOKEN = "river", "river-app", "t" * 43
SCOPE = "system/Task.rs system/Patient.rs system/Observation.rs"
CONNECTIONS, SECONDS, ROUNDS = 16, 3, 5
SIZES = (10_000, 1_000_000)
OF_A_PERSON = 20
ASSERTIONS = 9_000  # for each size: more than can be spent in all rounds
START = 1_700_000_000_000_000
FILLER = "Seen on the ward. " * 20
CONFIGURATION = """
[http]
client_rate = 0
address_rate = 0
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["627*"]
"""

# --- what is stored


def person(number: int) -> Iterator[Json]:
    """Twenty resources of about 900 bytes: a patient, a stay, a Task, and observations."""
    subject = {"reference": f"Patient/p{number}"}
    yield {
        "resourceType": "Patient",
        "id": f"p{number}",
        "identifier": [{"system": "urn:mrn", "value": f"M{number:07d}"}],
        "name": [{"family": f"Client{number}", "given": ["Test"]}],
        "gender": "female",
        "birthDate": f"19{number % 90 + 10}-02-14",
    }
    yield {"resourceType": "Encounter", "id": f"e{number}", "status": "finished", "subject": subject, "class": {"code": "IMP"}}
    yield {
        "resourceType": "Task",
        "id": f"t{number}",
        "identifier": [{"system": "urn:care-transition-gateway:task", "value": f"tr{number}#1"}],
        "status": "requested" if number % 10 == 0 else "completed",
        "intent": "order",
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
        "focus": {"reference": f"ServiceRequest/s{number}"},
        "for": subject,
        "encounter": {"reference": f"Encounter/e{number}"},
        "owner": {"reference": f"Organization/{AGENCY}"},
        "description": FILLER,
    }
    for count in range(17):
        yield {
            "resourceType": "Observation",
            "id": f"o{number}-{count}",
            "status": "final",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
            "subject": subject,
            "encounter": {"reference": f"Encounter/e{number}"},
            "note": [{"text": FILLER}],
        }


def fill(folder: Path, people: int) -> None:
    """People's records, for the coordinator and one agency, one transition each; and the agency's client."""
    folder.mkdir(parents=True)
    (folder / "gateway.toml").write_text(CONFIGURATION)
    store = open_sqlite(folder / "gateway.sqlite")
    for first in range(0, people, 200):
        with store.write(START + first) as writer:
            for number in range(first, min(first + 200, people)):
                made = [(one, orjson.dumps(one), terms(one)) for one in person(number)]
                versions = [NewVersion(who, one["resourceType"], one["id"], body, found) for who in (ALL, AGENCY) for one, body, found in made]
                rows = [TransitionRow(who, f"tr{number}", b'{"id":"tr%d"}' % number, "open", False, 2, number) for who in (ALL, AGENCY)]
                writer.apply(Change(writer.bind([f"mrn|{number}"], None), versions, rows))
    store.close()


def register(folder: Path, key: ECKey) -> None:
    """The client with its key, and a token that outlasts the run."""
    store = open_sqlite(folder / "gateway.sqlite")
    jwks = orjson.dumps({"keys": [{**key.as_dict(private=False), "kid": "bench", "alg": "ES384", "use": "sig"}]}).decode()
    store.credentials.add_client(ClientRow(CLIENT, "agency", AGENCY, SCOPE, jwks=jwks, created=1))
    store.credentials.revoke_token(digest(TOKEN))
    store.credentials.add_token(TokenRow(digest(TOKEN), CLIENT, SCOPE, int(time.time()) + 86_400, int(time.time())))
    store.close()


# --- what is asked


class Served(NamedTuple):
    """A gateway, and how many people's records it has."""

    url: str
    people: int
    folder: Path
    process: int


@contextmanager
def served(folder: Path, people: int) -> Iterator[Served]:
    """A gateway in a process of its own."""
    port, mllp = _free_port(), _free_port()
    command = [sys.executable, "-m", "gateway", "serve", "--data", str(folder), "--http", f"127.0.0.1:{port}", "--mllp", f"127.0.0.1:{mllp}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            time.sleep(0.05)
        yield Served(f"http://127.0.0.1:{port}", people, folder, process.pid)
    finally:
        process.terminate()
        process.wait()


class Rate(NamedTuple):
    """Answers a second, and microseconds of the gateway's processor for each."""

    answers: float
    cost: float


def processor(process: int) -> float:
    """Seconds of processor that a process has used; 0 where there is no /proc."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def wrk(gateway: Served, script: str) -> Rate:
    """Ask for some seconds. Fails where an answer is neither 2xx nor 304."""
    lua = gateway.folder / "ask.lua"
    lua.write_text(script)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(lua), gateway.url]
    before = processor(gateway.process)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = processor(gateway.process) - before
    if wrong := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        raise SystemExit(f"{wrong[1]} answers were failures")
    found, count = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"(\d+) requests in", said)
    assert found is not None, said
    assert count is not None, said
    return Rate(float(found[1]), used / max(1, int(count[1])) * 1e6)


def getting(path: str) -> str:
    """GET of a path, as a Lua expression."""
    return f'wrk.headers["Authorization"] = "Bearer {TOKEN}"\nrequest = function() return wrk.format("GET", {path}) end\n'


def read(gateway: Served) -> Rate:
    """Tasks by id, at random."""
    return wrk(gateway, getting(f'"/fhir/Task/t" .. math.random(0, {gateway.people - 1})'))


def poll(gateway: Served) -> Rate:
    """The feed behind its last change."""
    cursor = ""
    while page := httpx.get(f"{gateway.url}/api/transitions?limit=1000&cursor={cursor}", headers={"Authorization": f"Bearer {TOKEN}"}).json():
        cursor = page["cursor"]
        if len(page["transitions"]) < 1_000:
            break
    return wrk(gateway, getting(f'"/api/transitions?cursor={cursor}"'))


def search(gateway: Served) -> Rate:
    """The next 50 Tasks of an agency, as it polls for them."""
    return wrk(gateway, getting(f'"/fhir/Task?owner=Organization/{AGENCY}&_lastUpdated=gt2023-11-14T22:13:20.005Z&_count=50"'))


def rarer(gateway: Served) -> Rate:
    """50 of those that one in ten is."""
    return wrk(gateway, getting('"/fhir/Task?status=requested&_count=50"'))


def token(gateway: Served) -> Rate:
    """Tokens for assertions that nobody has sent yet."""
    script = """
        local bodies = {}
        for line in io.lines("%s") do bodies[#bodies + 1] = line end
        wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
        request = function() return wrk.format("POST", "/oauth/token", nil, table.remove(bodies)) end
    """
    waiting = gateway.folder / "assertions"
    lines = waiting.read_text().splitlines()
    share = gateway.folder / "share"
    share.write_text("\n".join(lines[: ASSERTIONS // ROUNDS]))
    waiting.write_text("\n".join(lines[ASSERTIONS // ROUNDS :]))
    return wrk(gateway, script % share)


FIGURES = {"token": (token, 300), "read by id": (read, 3_000), "poll with nothing new": (poll, 3_000), "search of 50 Tasks": (search, 800)}
BESIDE = {"search of 50 Tasks that one in ten is": (rarer, None)}


def sign(key: Json, url: str, target: str) -> None:
    """Write form bodies with assertions, one a line."""
    own, now = ECKey.import_key(key), int(time.time())
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    with Path(target).open("w") as lines:
        for _ in range(ASSERTIONS):
            claims = {"iss": CLIENT, "sub": CLIENT, "aud": f"{url}/oauth/token", "iat": now, "exp": now + 290, "jti": str(uuid.uuid4())}
            assertion = jwt.encode({"alg": "ES384", "kid": "bench", "typ": "JWT"}, claims, own, algorithms=["ES384"])
            form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion, "scope": SCOPE}
            lines.write(urlencode(form) + "\n")


def measure(gateways: list[Served], key: ECKey) -> Iterator[str]:
    """The figures of each gateway, best of the rounds, and what is left of the first one's by the last."""
    for name, (ask, bar) in {**FIGURES, **BESIDE}.items():
        if ask is token:
            for gateway in gateways:
                worker = multiprocessing.Process(target=sign, args=(key.as_dict(private=True), gateway.url, str(gateway.folder / "assertions")))
                worker.start()
                worker.join()
        rounds = [[ask(gateway) for gateway in gateways] for _ in range(ROUNDS)]
        best = [Rate(max(one.answers for one in found), min(one.cost for one in found)) for found in zip(*rounds, strict=True)]
        told = "; ".join(
            f"{rate.answers:,.0f}/s, {rate.cost:,.0f} us each with {each.people * OF_A_PERSON:,} resources"
            for rate, each in zip(best, gateways, strict=True)
        )
        yield f"api: {name}: {told}; {best[-1].answers / best[0].answers:.0%}" + (f" (bar {bar:,}/s, 80%)" if bar else "")


def main() -> None:
    """Prints every figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stores", type=Path)
    chosen = arguments.parse_args()
    if shutil.which("wrk") is None:
        print("api: no wrk to ask with")
        return
    key = ECKey.generate_key("P-384")
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as running:
        gateways = []
        for size in SIZES:
            folder = (chosen.stores or Path(temporary)) / str(size)
            if not folder.exists():
                fill(folder, size // OF_A_PERSON)
            register(folder, key)
            gateways.append(running.enter_context(served(folder, size // OF_A_PERSON)))
        for line in measure(gateways, key):
            print(line, flush=True)


if __name__ == "__main__":
    main()
