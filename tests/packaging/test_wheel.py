"""What is installed is what was written: package data in the wheel, imports that stay lazy, and a name that is ours alone."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

import transitions
from gateway import __version__

ROOT = Path(__file__).resolve().parents[2]
DATA_ENDINGS = {".csv", ".toml", ".txt", ".html", ".css", ".mako"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)], check=True, capture_output=True, timeout=240
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_every_data_file_and_module_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for package in ("gateway", "transitions", "conformance")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and (path.suffix in DATA_ENDINGS or path.suffix == ".py")
    }
    assert wanted <= inside
    assert any("scenarios/" in name for name in inside)
    assert any("migrations/" in name for name in inside)


def test_the_version_stands_in_one_place(wheel: zipfile.ZipFile) -> None:
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    assert f"\nVersion: {__version__}\n" in wheel.read(metadata).decode()


def test_licence_and_notice_travel_along(wheel: zipfile.ZipFile) -> None:
    names = {Path(name).name for name in wheel.namelist()}
    assert {"LICENSE", "NOTICE"} <= names


def test_no_dependency_brings_the_other_package_named_transitions() -> None:
    installed = {(each.metadata["Name"] or "").lower() for each in distributions()}
    assert "care-transition-gateway" in installed
    assert "transitions" not in installed
    assert Path(str(transitions.__file__)).is_relative_to(ROOT)


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh process has loaded after the code."""
    done = subprocess.run([sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_typer_only() -> None:
    loaded = loaded_by("import gateway.cli.main")
    assert "typer" in loaded
    assert not loaded & {"sqlalchemy", "fastapi", "fhir", "orjson", "pydantic", "structlog", "httpx", "rich.table"}


def test_convert_loads_neither_a_database_nor_a_server_nor_models(tmp_path: Path) -> None:
    message = tmp_path / "one.hl7"
    message.write_bytes(b"MSH|^~\\&|A|B|||20260101||ADT^A01|1|P|2.5\rEVN||20260101\rPID|1||1^^^B^MR||Doe^Jo\rPV1|1|I|X||||||||||||||||1\r")
    code = f"from gateway.cli.convert import convert_file; import sys, io; assert convert_file({str(message)!r}, '', None) == 0"
    loaded = loaded_by(code)
    assert not loaded & {"sqlalchemy", "fastapi", "fhir.resources", "alembic", "transitions", "sqlite3"}


def test_transitions_needs_the_standard_library_alone() -> None:
    loaded = {name.split(".")[0] for name in loaded_by("import transitions.assess, transitions.policy, transitions.worklist")}
    assert "transitions" in loaded
    assert not loaded & {"gateway", "pydantic", "orjson", "sqlalchemy", "fastapi"}
