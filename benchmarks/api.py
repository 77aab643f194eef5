"""The HTTP side: one gateway process on loopback, embedded SQLite, asked by wrk over 16 connections.

`python -m benchmarks.api` prints one line a figure, with 10,000 and then with 1,000,000 resources stored. Bars (issue "SMART and FHIR API", Speed):
token 300/s, read by id 3,000/s, poll with nothing new 3,000/s, search of 50 Tasks 800/s; no figure with the million below 80 % of that with 10,000.
Every answer that shows records leaves its AuditEvent, as always. Assertions for the tokens are signed beforehand, by a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
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
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

from benchmarks.journey import _free_port
from gateway.fhir.search import terms
from gateway.store.interface import ALL, Change, ClientRow, NewVersion, TransitionRow
from gateway.store.sqlite import open_sqlite

Json = dict[str, Any]

AGENCY = "river"
CLIENT = "river-app"
SCOPE = "system/Task.rs system/Patient.rs system/Observation.rs"
CONNECTIONS = 16
SECONDS = 6
START = 1_700_000_000_000_000
FILLER = "Seen on the ward. " * 20

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
    """People's records, for the coordinator and one agency, one transition each; and the client that asks."""
    store = open_sqlite(folder / "gateway.sqlite")
    for first in range(0, people, 200):
        with store.write(START + first) as writer:
            for number in range(first, min(first + 200, people)):
                made = [(one, orjson.dumps(one), terms(one)) for one in person(number)]
                versions = [
                    NewVersion(who, one["resourceType"], one["id"], body, found) for who in (ALL, AGENCY) for one, body, found in made
                ]
                rows = [TransitionRow(who, f"tr{number}", b'{"id":"tr%d"}' % number, "open", False, 2, number) for who in (ALL, AGENCY)]
                writer.apply(Change(writer.bind([f"mrn|{number}"], None), versions, rows))
    store.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1]); folder.mkdir(parents=True, exist_ok=True)
    began = time.time()
    fill(folder, int(sys.argv[2]))
    print(time.time() - began)
