"""The command line's promises (DESIGN, "Interfaces others rely on"), tried from the shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.errors import Usage
from gateway.settings import load
from tests.attacks_feeds.messages import FEEDS, message
from tests.attacks_feeds.processes import configure, gateway, here, rows
from tests.third_party import DATA, third_party

COMMANDS = (
    *("demo", "serve", "convert", "send", "rebuild", "export"),
    *("messages list", "messages show", "messages replay", "transitions list", "transitions show"),
    *("clients add", "clients list", "clients revoke", "clients keypair"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_and_what_each_option_means(command: str) -> None:
    done = here(*command.split(), "--help", COLUMNS="200")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    options = [line for line in text.splitlines() if line.lstrip().startswith("--")]
    assert options
    assert all("  " in line.strip() and "%" not in line for line in options)  # a meaning beside each, and no machine's words for a kind


def test_help_loads_typer_and_nothing_heavy() -> None:
    seen = _modules("from gateway.cli.main import app; app(['--help'], standalone_mode=False)")
    assert "typer" in seen
    assert not seen & {"sqlalchemy", "fastapi", "pydantic", "fhir.resources", "structlog", "rich.console", "orjson", "gateway.app"}


def test_convert_loads_no_store_no_server_and_no_models(tmp_path: Path) -> None:
    (tmp_path / "one.hl7").write_bytes(message())
    seen = _modules(f"from gateway.cli.main import app; app(['convert', {str(tmp_path / 'one.hl7')!r}], standalone_mode=False)")
    assert not seen & {"sqlalchemy", "sqlite3", "fastapi", "uvicorn", "fhir.resources", "gateway.app"}


def _modules(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running the code."""
    import subprocess

    script = f"import sys\nsys.argv = ['gateway']\ntry:\n    {code}\nexcept BaseException: pass\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    return set(done.stderr.decode().splitlines())


def test_wrong_usage_is_2_and_nothing_on_stdout(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    wrong: tuple[tuple[str | Path, ...], ...] = (
        ("nonsense",),
        ("messages", "list", "--data", tmp_path, "--state", "odd"),
        ("transitions", "list", "--data", tmp_path, "--status", "odd"),
        ("messages", "list", "--config", tmp_path / "none.toml"),
        ("messages", "list", "--data", file / "below"),
        ("export", "--data", tmp_path, "--type", "Nonsense"),
        ("serve", "--data", tmp_path, "--http", "nowhere"),
        ("send", file, "--to", "http://127.0.0.1:1"),
        ("convert", tmp_path / "none.hl7"),
        ("demo", "--json"),
        ("clients", "add", "--data", tmp_path, "--id", "x", "--role", "king"),
        ("clients", "keypair", "--private", tmp_path / "none" / "a", "--public", tmp_path / "b"),
    )
    for arguments in wrong:
        done = here(*arguments)
        assert (done.returncode, done.stdout) == (2, b""), arguments
        assert done.stderr
        assert b"Traceback" not in done.stderr


def test_what_does_not_exist_is_1(tmp_path: Path) -> None:
    for words in ("messages show 7", "messages replay 7", "transitions show x", "clients revoke x"):
        done = here(*words.split(), "--data", tmp_path / "new")
        assert (done.returncode, done.stdout) == (1, b"")
    (tmp_path / "one.hl7").write_bytes(message())
    unreachable = gateway("send", tmp_path / "one.hl7", "--to", "mllp://127.0.0.1:1")
    assert (unreachable.returncode, unreachable.stdout) == (1, b"")
    assert b"cannot be reached" in unreachable.stderr


def test_an_empty_store_is_made_where_there_is_none_and_lists_are_empty_arrays(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    assert rows("messages", "list", "--data", data, "--json") == []
    assert rows("transitions", "list", "--data", data, "--json") == []
    assert rows("clients", "list", "--data", data, "--json") == []
    assert oct(data.stat().st_mode & 0o777) == "0o700"
    assert oct((data / "gateway.sqlite").stat().st_mode & 0o777) == "0o600"


def test_data_and_config_name_the_same_place(tmp_path: Path) -> None:
    data = configure(tmp_path / "data", FEEDS)
    assert gateway("clients", "keypair", cwd=tmp_path).returncode == 0
    by_data = gateway("clients", "add", "--id", "a", "--organization", "river", "--jwks", tmp_path / "client-key.jwks", "--data", data)
    assert by_data.returncode == 0, by_data.stderr
    assert [row["id"] for row in rows("clients", "list", "--json", "--config", data / "gateway.toml")] == ["a"]
    by_environment = gateway("clients", "list", "--json", cwd=tmp_path, GATEWAY_DATA=str(data))
    assert orjson.loads(by_environment.stdout)[0]["id"] == "a"
    assert not (tmp_path / "gateway-data").exists()


def test_a_key_pair_is_private_and_replaces_nothing(tmp_path: Path) -> None:
    assert gateway("clients", "keypair", cwd=tmp_path).returncode == 0
    private, public = tmp_path / "client-key.jwk", tmp_path / "client-key.jwks"
    assert oct(private.stat().st_mode & 0o777) == "0o600"
    assert orjson.loads(private.read_bytes())["d"]
    assert "d" not in orjson.loads(public.read_bytes())["keys"][0]
    kept = private.read_bytes(), public.read_bytes()
    assert gateway("clients", "keypair", cwd=tmp_path).returncode == 2
    assert gateway("clients", "keypair", "--private", "other.jwk", cwd=tmp_path).returncode == 2
    assert (private.read_bytes(), public.read_bytes()) == kept
    assert not (tmp_path / "other.jwk").exists()


def test_convert_reads_files_stdin_and_batches_and_refuses_one_message_alone(tmp_path: Path) -> None:
    batch = b"FHS|^~\\&|a\rBHS|^~\\&|a\r" + message("B1") + message("B2", pid="") + message("B3", at="20269999") + b"BTS|3\rFTS|1\r"
    done = gateway("convert", "-", stdin=batch)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2  # an impossible date alone is no refusal
    assert done.stderr.startswith(b"message 2: ")
    assert done.stderr.count(b"\n") == 1
    (tmp_path / "batch.hl7").write_bytes(batch.replace(b"\r", b"\r\n"))
    from_file = gateway("convert", tmp_path / "batch.hl7")
    assert len(from_file.stdout.splitlines()) == 2


def test_a_batch_that_does_not_agree_with_its_trailer_is_told_and_what_is_there_is_taken() -> None:
    batch = b"FHS|^~\\&|a\rBHS|^~\\&|a\r" + message("B1") + message("B2") + b"BTS|3\rFTS|2\r"
    for command in (("convert", "-"), ("explain", "-", "--json")):
        done = gateway(*command, stdin=batch)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
        assert done.stderr == (
            b"batch: BTS-1 says 3; messages found: 2. What is there was taken.\nbatch: FTS-1 says 2; batches found: 1. What is there was taken.\n"
        )


def references(value: Any) -> list[str]:
    """Every `reference` in a resource."""
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [found for each in value.values() for found in references(each)]
    return [found for each in value for found in references(each)] if isinstance(value, list) else []


@third_party
@pytest.mark.parametrize("folder", ["samples/google-hdh", "samples/linuxforhealth", "samples/rethinkhealth", "simhospital"])
def test_in_every_bundle_every_relative_reference_resolves(folder: str) -> None:
    from gateway.cli.convert import convert_file

    files = sorted((DATA / "hl7v2" / folder).glob("*.hl7"))
    assert files
    for file in files:
        lines = _printed(lambda file=file: convert_file(str(file), "", None))
        for line in lines:
            entries = orjson.loads(line)["entry"]
            there = {entry["fullUrl"] for entry in entries} | {f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries}
            for entry in entries:
                inside = {f"#{one['id']}" for one in entry["resource"].get("contained", [])}
                wanted = {name for name in references(entry["resource"]) if not name.startswith("http")}
                assert wanted <= there | inside, file.name


def _printed(run: Any) -> list[bytes]:
    """What a call writes to stdout, by line."""
    import io
    from unittest import mock

    out, err = io.BytesIO(), io.StringIO()
    with mock.patch.object(sys, "stdout", io.TextIOWrapper(out, write_through=True)), mock.patch.object(sys, "stderr", err):
        assert run() in (0, 1)
        return out.getvalue().splitlines()


WRONG = (
    ('[http]\nlissten = "x"', "http.lissten"),
    ("[htttp]\n", "htttp"),
    ('[[feed]]\nname = "x"\ntimezon = "UTC"', "timezon"),
    ('[[feed]]\nsending_facility = "x"', "name"),
    ('[[feed]]\nname = "x"\ntimezone = "Mars/Olympus"', "timezone"),
    ('[[feed]]\nname = "x"\ncharset = "klingon"', "charset"),
    ('[[feed]]\nname = "x"\nkind = "fax"', "kind"),
    ('[[feed]]\nname = "x"\nstrict = "yes"', "strict"),
    ('[[feed]]\nname = "x"\npsychiatric_units = "BHU"', "psychiatric_units"),
    ('[[feed]]\nname = "x"\n[[feed]]\nname = "x"', "x"),
    ('[[agency]]\nid = "coordinator"\nname = "x"', "agency.0.id"),
    ('[[agency]]\nid = "gateway"\nname = "x"', "agency.0.id"),
    ('[[agency]]\nid = "Not An Id"\nname = "x"', "agency.0.id"),
    ('[[agency]]\nid = "x"', "agency.0.name"),
    ('[agency]\nid = "x"', "agency"),
    ("[http]\nlisten = 8080", "http.listen"),
    ("[mllp]\nmax_frame = 0", "mllp.max_frame"),
    ("[http\n", "line 1"),
)


@pytest.mark.parametrize(("toml", "named"), WRONG, ids=[named + toml[:14] for toml, named in WRONG])
def test_a_wrong_configuration_names_the_key_in_plain_words(tmp_path: Path, toml: str, named: str) -> None:
    (tmp_path / "gateway.toml").write_text(toml)
    with pytest.raises(Usage) as refused:
        load(tmp_path / "gateway.toml")
    assert named in str(refused.value)
    assert "Error" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_the_environment_wins_over_the_file_and_an_unknown_variable_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gateway.toml").write_text('[http]\nlisten = "127.0.0.1:1"\ntls_certificate = "here.pem"\n')
    monkeypatch.setenv("GATEWAY_HTTP__LISTEN", "127.0.0.1:2")
    monkeypatch.setenv("GATEWAY_SERVICE_HOST", "10.0.0.1")  # Kubernetes sets it for a service called gateway
    settings = load(tmp_path / "gateway.toml")
    assert settings.http.listen == "127.0.0.1:2"
    assert settings.http.tls_certificate == str(tmp_path / "here.pem")
    for name in ("GATEWAY_HTTTP__LISTEN", "GATEWAY_HTTP__LISSTEN"):
        with monkeypatch.context() as context:
            context.setenv(name, "x")
            with pytest.raises(Usage, match=r"http\.lissten|GATEWAY_HTTTP__LISTEN"):
                load(tmp_path / "gateway.toml")


def test_every_exported_resource_is_valid_r4_and_every_relative_reference_resolves_in_the_export(tmp_path: Path) -> None:
    from gateway.fhir.validation import issues
    from tests.pipeline.county import STORY, feed, store_at

    data = configure(tmp_path / "data", FEEDS)
    with store_at(data) as store:
        feed(store, STORY)
    assert here("rebuild", "--data", data).returncode == 0  # by this directory's configuration and the clock of today
    done = gateway("export", "--data", data)
    assert (done.returncode, done.stderr) == (0, b"")
    resources = [orjson.loads(line) for line in done.stdout.splitlines()]
    there = {f"{each['resourceType']}/{each['id']}" for each in resources}
    assert {"Patient", "Encounter", "Condition", "CarePlan", "CareTeam", "ServiceRequest", "Task", "Flag", "Provenance", "Appointment"} <= {
        each["resourceType"] for each in resources
    }
    assert "AuditEvent" not in {each["resourceType"] for each in resources}
    for resource in resources:
        assert issues(resource) == []
        inside = {f"#{one['id']}" for one in resource.get("contained", [])}
        assert {name for name in references(resource) if not name.startswith(("http", "urn:"))} <= there | inside
    assert here("rebuild", "--data", data).returncode == 0
    assert here("export", "--data", data).stdout == done.stdout
