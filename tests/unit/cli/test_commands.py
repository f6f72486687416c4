from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from qsched.api.job import QuantumCircuitJob
from qsched.api.manifest import read_manifests

EXAMPLES = Path(__file__).parents[3] / "examples"
Command = Callable[..., Result]


def test_get_lists_the_newest_first_and_why_jobs_are_not_complete(qsched: Command, store: Path) -> None:
    done = qsched("get", "--store", store)
    assert done.exit_code == 0
    names = [line.split()[0] for line in done.stdout.splitlines()[2:]]
    assert names == ["qft", "bad", "ghz"]
    assert "brisbane has no gate 'frobnicate'" in done.stdout


def test_global_options_may_stand_before_the_command(qsched: Command, store: Path) -> None:
    assert qsched("--store", store, "-o", "name", "get").stdout.split() == ["qft", "bad", "ghz"]
    assert qsched("-o", "json", "get", "--store", store, "-o", "name").stdout.split() == ["qft", "bad", "ghz"]


def test_one_job_is_an_object_and_several_are_a_list(qsched: Command, store: Path) -> None:
    one = json.loads(qsched("get", "ghz", "--store", store, "-o", "json").stdout)
    assert one["kind"] == "QuantumCircuitJob"
    assert one["status"]["result"]["circuits"][0]["counts"] == {"00": 520, "11": 504}
    several = json.loads(qsched("get", "--store", store, "-o", "json").stdout)
    assert [job["metadata"]["name"] for job in several] == ["qft", "bad", "ghz"]


def test_yaml_output_can_be_read_as_manifests(qsched: Command, store: Path) -> None:
    text = qsched("get", "--store", store, "-o", "yaml").stdout
    jobs = read_manifests(text, "stdout")
    assert [job.metadata.name for job in jobs] == ["qft", "bad", "ghz"]
    assert all(isinstance(job, QuantumCircuitJob) for job in jobs)


def test_phases_filter_the_list_whatever_their_case(qsched: Command, store: Path) -> None:
    assert qsched("get", "--phase", "failed", "--store", store, "-o", "name").stdout.split() == ["bad"]


def test_an_empty_namespace_is_no_error(qsched: Command, store: Path) -> None:
    done = qsched("get", "-n", "elsewhere", "--store", store)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no jobs in namespace elsewhere" in done.stderr


def test_describe_and_result_show_one_job(qsched: Command, store: Path) -> None:
    assert "osaka 0.797" in qsched("describe", "ghz", "--store", store).stdout
    shown = qsched("result", "ghz", "--store", store, "--top", "1").stdout
    assert "ghz ran on kyoto" in shown
    assert "1 more" in shown


def test_result_draws_the_counts(qsched: Command, store: Path, tmp_path: Path) -> None:
    picture = tmp_path / "counts.png"
    assert qsched("result", "ghz", "--store", store, "--plot", picture).exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_result_of_a_failed_job_is_its_reason(qsched: Command, store: Path) -> None:
    done = qsched("result", "bad", "--store", store)
    assert done.exit_code == 1
    assert "job bad is Failed: brisbane has no gate 'frobnicate'" in done.stderr


def test_watching_ended_jobs_ends_at_once_with_their_code(qsched: Command, store: Path) -> None:
    assert qsched("watch", "ghz", "--store", store).exit_code == 0
    assert qsched("watch", "ghz", "bad", "--store", store).exit_code == 1


def test_an_output_picture_holds_what_was_printed(qsched: Command, store: Path, tmp_path: Path) -> None:
    picture = tmp_path / "get.svg"
    assert qsched("--svg", picture, "get", "--store", store).exit_code == 0
    assert "frobnicate" in picture.read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "ghx"], 2, "there is no job 'ghx' in namespace 'default'; did you mean ghz?"),
        (["describe", "nothing-like-it"], 2, "'qsched get' lists those there are"),
        (["result", "qft"], 2, "job qft has no result yet: it is Pending"),
        (["get", "--phase", "Faild"], 2, "did you mean Failed?"),
        (["get", "-o", "wide"], 2, "'wide' is not one of"),
        (["cancel", "ghx"], 2, "did you mean ghz?"),
        (["result", "ghz", "--plot", "counts.bmp"], 2, "cannot draw .bmp; use .png, .svg or .pdf"),
        (["result", "ghz", "--plot", "/nowhere/counts.png"], 3, "/nowhere/counts.png: cannot write"),
        (["run", "absent.yaml"], 2, "absent.yaml"),
        (["run", "absent.qasm"], 2, "absent.qasm: there is no such file"),
        (["run", "."], 2, "director"),
        (["explain"], 2, "name a stored job, or a file with --dry-run FILE"),
        (["backends", "--fleet", "absent.yaml"], 2, "absent.yaml"),
        (["calibrations", "show", "tornio"], 2, "no backend 'tornio' in this fleet; did you mean torino?"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_message_and_its_exit_code(
    qsched: Command, store: Path, words: list[str], code: int, said: str
) -> None:
    done = qsched("--store", store, *words)
    assert done.exit_code == code, done.output
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.output
    assert done.stdout == ""


def test_a_named_store_that_is_not_there_is_not_made(qsched: Command, tmp_path: Path) -> None:
    done = qsched("get", "--store", tmp_path / "typo.db")
    assert done.exit_code == 2
    assert "there is no store" in done.stderr
    assert not (tmp_path / "typo.db").exists()


def test_a_store_that_is_no_database_is_unavailable(qsched: Command, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at" * 100)
    done = qsched("get", "--store", tmp_path / "text.db")
    assert done.exit_code == 3
    assert "text.db" in done.stderr


def test_a_store_that_cannot_be_made_is_unavailable(qsched: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = qsched("run", EXAMPLES / "ghz.yaml", "--store", tmp_path / "file" / "new.db")
    assert done.exit_code == 3
    assert str(tmp_path / "file") in done.stderr


def test_crds_are_printed_or_written(qsched: Command, tmp_path: Path) -> None:
    printed = qsched("crds").stdout
    assert printed.count("kind: CustomResourceDefinition") == 2
    assert qsched("crds", "--write", tmp_path / "crds").exit_code == 0
    written = [path.read_text() for path in sorted((tmp_path / "crds").iterdir())]
    assert sorted(written) == sorted(printed.split("---\n"))


def test_crds_cannot_be_written_below_a_file(qsched: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = qsched("crds", "--write", tmp_path / "file")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_doctor_finds_a_corrupt_store(qsched: Command, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database" * 100)
    done = qsched("doctor", "--store", tmp_path / "text.db")
    assert done.exit_code == 3
    store_line = next(line for line in done.stdout.splitlines() if line.split()[1:2] == ["store"])
    assert store_line.startswith("✗")


def test_calibrations_show_the_spread_over_the_device(qsched: Command) -> None:
    shown = qsched("calibrations", "show", "lima").stdout
    assert "5 qubits" in shown
    assert "median" in shown
    document = json.loads(qsched("calibrations", "show", "lima", "-o", "json").stdout)
    assert document["device"] == "lima"
