"""Importing files into SQLite: Synthea's Bundles on one core, and what memory an NDJSON of a size takes.

    python -m benchmarks.imports [--megabytes N]

Bars (issue 7): 3,000 resources/s of processor time; memory that does not follow the size of the file. The Bundles are the third-party data's. The
NDJSON is made: clients with a stay, a diagnosis and documents of 100 KB, which are what makes such a file large. Processor time is measured, because
others use the machine too; memory is the peak of a process of its own, for a tenth of the size and for the whole.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway.adapters.files.reading import files_in
from gateway.adapters.files.taking import Tally, take_files
from gateway.memory import give_back_large_blocks
from gateway.settings import load
from gateway.stores import configuration_of, open_store

Json = dict[str, Any]
SYNTHEA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fhir" / "synthea"
DOCUMENT = 75_000
"""Bytes of a document before base64."""
DOCUMENTS = 8
"""Documents a client."""


def imported(paths: list[Path], data: Path) -> Tally:
    """Take the files into a new store, as the command does."""
    give_back_large_blocks()
    (data / "gateway.toml").write_text('[[feed]]\nname = "ehr"\nkind = "fhir"\n', encoding="utf-8")
    settings = load(data / "gateway.toml")
    store = open_store(settings, data)
    try:
        return take_files(store, configuration_of(settings, store), files_in(paths)[0], "ehr", lambda: time.time_ns() // 1000)
    finally:
        store.close()


def resources_a_second() -> float:
    """Resources of Synthea's Bundles imported a second of processor time."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        tally = imported([SYNTHEA], Path(folder))
        return tally.taken.total() / (time.process_time() - start)


def lines(megabytes: float) -> Iterator[bytes]:
    """Lines of NDJSON of that size in all, client after client."""
    written, number = 0, 0
    while written < megabytes * 1_000_000:
        number += 1
        for one in client(number):
            line = orjson.dumps(one) + b"\n"
            written += len(line)
            yield line


def client(number: int) -> Iterator[Json]:
    """What an EHR has of one client."""
    subject, stay = {"reference": f"Patient/p{number}"}, {"reference": f"Encounter/e{number}"}
    act = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    period = {"start": "2026-03-01T08:00:00Z", "end": "2026-03-09T10:00:00Z"}
    yield {"resourceType": "Patient", "id": f"p{number}", "identifier": [{"system": "urn:oid:1.2.3", "value": f"M{number}"}], "gender": "female"}
    yield {"resourceType": "Encounter", "id": f"e{number}", "status": "finished", "class": act, "subject": subject, "period": period}
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.2"}]}
    yield {"resourceType": "Condition", "id": f"c{number}", "code": code, "subject": subject, "encounter": stay}
    for document in range(DOCUMENTS):
        text = b64encode(f"{number} {document} ".encode().ljust(DOCUMENT, b"x")).decode()
        content = [{"attachment": {"contentType": "text/plain", "data": text}}]
        yield {"resourceType": "DocumentReference", "id": f"d{number}-{document}", "status": "current", "subject": subject, "content": content}


def peak(megabytes: float) -> float:
    """Megabytes that a process takes at most which imports an NDJSON of that size."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "export.ndjson"
        with file.open("wb") as out:
            out.writelines(lines(megabytes))
        told = subprocess.run([sys.executable, "-m", "benchmarks.imports", "--peak-of", str(file)], capture_output=True, check=True, text=True)
        return float(told.stdout)


def main(megabytes: float = 100) -> None:
    """Print all figures."""
    print(f"import of Synthea's Bundles into SQLite              {resources_a_second():8.0f} resources/s")
    for size in (megabytes / 10, megabytes):
        print(f"peak of memory, NDJSON of {size:6.0f} MB                  {peak(size):8.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--peak-of", type=Path)
    said = parser.parse_args()
    if said.peak_of:
        imported([said.peak_of], said.peak_of.parent)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
    else:
        main(said.megabytes)
