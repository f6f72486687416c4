from __future__ import annotations

import re
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import progress
from benchmarks.__main__ import main
from benchmarks.catalogue import card
from benchmarks.child import title
from benchmarks.display import Display
from benchmarks.findings import Findings, Table, plain
from benchmarks.record import claimed, new_folder, new_record, read_record

ROOT = Path(__file__).parents[3]
GOOD = """
def run(*, quick):
    return {"speed": 600.0 if quick else 700.0}
"""
FAST = '{speed: {says: "things done", min: 500, unit: 1/s}}'
OPTIONS = """
from qsched.errors import InvalidInput
def configure(parser):
    parser.add_argument("--load", type=float, default=0.9)
def run(*, quick, options):
    if options.load < 0:
        raise InvalidInput("load is below 0")
    return {"load": options.load}
"""


def test_a_run_is_judged_and_kept(home, capsys):
    home.add("first", GOOD, FAST)
    home.add("second", "def run(*, quick):\n    return {'x': 9}", '{x: {says: "an x", max: 8}}')
    assert main(["--quick"], home.places) == 1
    record = read_record(home.runs[0])
    assert record.quick
    assert record.parts["first"].figures["speed"].value == 600.0
    assert record.parts["first"].title == "The first of a test"
    assert record.parts["second"].failed == ["x"]
    said = capsys.readouterr()
    assert "second: x out of range" in said.out
    assert "second, part 2 of 2" in said.err
    assert main(["first"], home.places) == 0


@pytest.mark.slow
def test_a_part_that_breaks_costs_the_others_nothing(home, capsys):
    home.add("raises", "def run(*, quick):\n    raise RuntimeError('it broke')")
    home.add("exits", "import sys\ndef run(*, quick):\n    sys.exit(5)")
    home.add(
        "killed",
        """
        import os, signal, sys
        def run(*, quick):
            print("last words", file=sys.stderr)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    home.add("unreadable", "def run(:")
    home.add("not_plain", "def run(*, quick):\n    return {'x': 'a text'}")
    home.add("good", GOOD, FAST)
    assert main([], home.places) == 1
    record = read_record(home.runs[0])
    assert "RuntimeError: it broke" in record.parts["raises"].error
    assert "SystemExit: 5" in record.parts["exits"].error
    assert record.parts["killed"].error == "its process was killed by SIGKILL\n| last words\n"
    assert "SyntaxError" in record.parts["unreadable"].error
    assert "figure x is 'a text', which is no number" in record.parts["not_plain"].error
    assert record.parts["good"].passed
    assert "killed: did not run to its end" in capsys.readouterr().out


@pytest.mark.slow
def test_a_part_that_hangs_is_ended_with_what_it_started_and_may_clear_up(home, tmp_path):
    home.add(
        "hangs",
        f"""
        import subprocess, threading
        from pathlib import Path
        def run(*, quick):
            child = subprocess.Popen(["sleep", "600"])
            Path({str(tmp_path)!r}, "child").write_text(str(child.pid))
            try:
                threading.Event().wait()
            finally:
                print("cleared up")
        """,
    )
    home.add("good", GOOD, FAST)
    assert main(["--limit", "0.02"], home.places) == 1
    record = read_record(home.runs[0])
    assert record.parts["hangs"].error.startswith("it took longer than 0.02 minutes")
    assert "| cleared up" in record.parts["hangs"].error
    assert record.parts["good"].passed
    pid = (tmp_path / "child").read_text()
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_part_that_cannot_run_here_is_left_out_by_name(home, capsys):
    home.add(
        "absent",
        """
        from benchmarks.findings import LeftOut
        def run(*, quick):
            raise LeftOut("the traces are not there")
        """,
        FAST,
    )
    assert main([], home.places) == 0
    assert "absent: left out, the traces are not there" in capsys.readouterr().out


def test_a_quick_run_of_everything_leaves_long_parts_out_unless_they_are_named(home):
    home.add("long", f'FULL_ONLY = "starts a cluster"\n{GOOD}', FAST)
    home.add("good", GOOD, FAST)
    assert main(["--quick"], home.places) == 0
    assert main(["long", "--quick"], home.places) == 0
    everything, named = map(read_record, home.runs)
    assert everything.parts["long"].left_out == "full runs only: starts a cluster"
    assert named.parts["long"].figures["speed"].value == 600.0


def test_options_go_to_their_part_and_then_nothing_is_judged(home, capsys):
    home.add("policies", OPTIONS, "{load: {says: load, max: 1}, of_full_study: {says: none}}")
    home.add("good", GOOD, FAST)
    assert main(["policies", "--load", "1.5", "--quick"], home.places) == 0
    assert main([], home.places) == 0
    own, everything = map(read_record, home.runs)
    assert own.arguments == ["--load", "1.5"]
    assert own.parts["policies"].figures["load"].value == 1.5
    assert not own.parts["policies"].figures["load"].judged
    assert list(own.parts["policies"].figures) == ["load"]
    assert everything.parts["policies"].figures["load"].value == 0.9
    assert everything.parts["policies"].figures["load"].judged
    with pytest.raises(SystemExit, match="0"):
        main(["policies", "--help"], home.places)
    assert "--load LOAD" in capsys.readouterr().out


def test_what_one_policy_of_several_does_wrong_is_said_and_does_not_pass(home, capsys):
    home.add(
        "policies",
        """
        from benchmarks.findings import Findings
        def run(*, quick):
            return Findings({"load": 0.9}, problems=["policy 'mine' placed job 'job-3' on column 9"])
        """,
        "{load: {says: load, max: 1}}",
    )
    assert main([], home.places) == 1
    part = read_record(home.runs[0]).parts["policies"]
    assert part.figures["load"].passed
    assert not part.passed
    said = capsys.readouterr().out
    assert "policies: policy 'mine' placed job 'job-3' on column 9" in said
    for name in ("report.md", "report.html"):
        assert "on column 9" in (home.runs[0] / name).read_text()


def test_a_wrong_option_that_a_part_finds_is_bad_input_and_leaves_nothing(home, capsys):
    home.add("policies", OPTIONS)
    assert main(["policies", "--load", "-1"], home.places) == 2
    assert "benchmarks: policies: load is below 0\n" in capsys.readouterr().err
    assert not home.runs
    home.add("good", GOOD, FAST)
    assert main(["good", "policies"], home.places) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["godo"], "there is no part godo, did you mean good?; there are good, policies"),
        (["policies", "--laod", "1"], "unrecognized arguments: --laod"),
        (["policies", "--load", "much"], "argument --load: invalid float value: 'much'"),
        (["good", "policies", "--load", "1"], "unrecognized arguments: --load"),
        (["good", "--limit", "0"], "argument --limit: 0 is no number above 0"),
        (["good", "--limit", "soon"], "soon is no number above 0"),
        (["good", "--resume"], "--resume goes on with the parts and options of the run"),
        (["--resume"], "no unfinished full run of this code to resume"),
        (["--report", "/nowhere.json"], "/nowhere.json"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(home, capsys, arguments, says):
    home.add("good", GOOD, FAST)
    home.add("policies", OPTIONS)
    assert main(arguments, home.places) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert says in error
    assert not home.runs


def test_a_part_without_ranges_runs_when_it_is_named_and_is_only_shown(home):
    home.add("good", GOOD, FAST)
    (home.places.parts / "new.py").write_text(f"SEED = 0\n{GOOD}")
    assert main(["new"], home.places) == 0
    assert main([], home.places) == 0
    named, everything = map(read_record, home.runs)
    assert not named.parts["new"].figures["speed"].judged
    assert everything.names == ["good"]


def test_results_that_cannot_be_written_are_bad_input(home, capsys):
    home.add("good", GOOD, FAST)
    home.places.results.write_text("a file where the folder should be")
    assert main([], home.places) == 2
    assert "results cannot be written" in capsys.readouterr().err


def test_the_list_shows_titles_without_running_anything(home, capsys):
    home.add("good", 'FULL_ONLY = "long"\nraise RuntimeError("imported")\ndef run(*, quick): ...')
    assert main(["--list"], home.places) == 0
    assert "good  The good of a test (full runs only: long)" in capsys.readouterr().out
    assert card("no_such_part", home.places.parts).title == ""


RESUMABLE = """
from pathlib import Path
def run(*, quick):
    runs = Path({folder!r}, {name!r})
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    if {name!r} == "second" and not Path({folder!r}, "mended").exists():
        raise RuntimeError("broken")
    return {{"times": len(runs.read_text())}}
"""


def test_a_run_goes_on_with_the_parts_that_it_does_not_have(home, tmp_path, capsys):
    for name in ("first", "second", "third"):
        home.add(name, RESUMABLE.format(folder=str(tmp_path), name=name))
    assert main(["first", "second", "--quick"], home.places) == 1
    (tmp_path / "mended").touch()
    assert main(["--resume"], home.places) == 2
    assert "is a quick run" in capsys.readouterr().err
    assert main(["--resume", "--quick"], home.places) == 0
    assert "taken over: first; to run: second" in capsys.readouterr().out
    (run,) = home.runs
    record = read_record(run)
    assert [record.parts[name].figures["times"].value for name in record.names] == [1, 2]
    assert (run / "report.html").exists()
    assert main(["--resume", "--quick"], home.places) == 2


def test_a_run_that_still_goes_on_is_not_gone_on_with(home, capsys):
    home.add("raises", "def run(*, quick):\n    raise RuntimeError")
    assert main([], home.places) == 1
    with claimed(home.runs[0]) as free:
        assert free
        assert main(["--resume"], home.places) == 2
    assert f"{home.runs[0].name} is still running" in capsys.readouterr().err
    assert main(["--resume"], home.places) == 1


def test_an_interrupt_while_the_report_is_made_says_how_to_make_it(home, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    home.add("good", GOOD, FAST)
    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.report.write_report", interrupted)
        assert main([], home.places) == 130
    (run,) = home.runs
    assert f"to go on: python -m benchmarks --report {run}\n" in capsys.readouterr().err
    assert main(["--report", str(run)], home.places) == 0
    assert (run / "report.html").exists()


def test_two_runs_that_begin_in_the_same_second_have_folders_of_their_own(home):
    record = new_record([], [], quick=True)
    folders = [new_folder(record, home.places.results) for _ in range(3)]
    assert len(set(folders)) == 3
    assert all(folder.is_dir() for folder in folders)


def test_a_run_of_other_code_is_not_gone_on_with(home, monkeypatch, capsys):
    home.add("raises", "def run(*, quick):\n    raise RuntimeError")
    assert main([], home.places) == 1
    monkeypatch.setattr("benchmarks.record.code", lambda: None)
    assert main(["--resume"], home.places) == 2
    assert "other code" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_in_one_line_and_keeps_what_was_measured(home, number, tmp_path):
    home.add("first", GOOD, FAST)
    home.add(
        "second",
        f"""
        import threading
        from pathlib import Path
        def run(*, quick):
            print("begun")
            try:
                threading.Event().wait()
            finally:
                Path({str(tmp_path)!r}, "cleared-up").touch()
        """,
    )
    program = (  # a test that runs in the background may be told to ignore interrupts
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "import sys; from pathlib import Path; from benchmarks.__main__ import main; "
        "from benchmarks.command import Places; sys.exit(main([], Places(*map(Path, sys.argv[1:]))))"
    )
    command = [sys.executable, "-c", program, *map(str, home.places)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if b"begun" in line:
                    process.send_signal(number)
                    break
            rest = process.stderr.read().decode()
            assert process.wait() == 128 + number
        finally:
            process.kill()  # else a run that goes on would be waited for
    assert rest == "benchmarks: interrupted; to go on: python -m benchmarks --resume\n"
    assert (tmp_path / "cleared-up").exists()
    record = read_record(home.runs[0])
    assert list(record.parts) == ["first"]
    assert record.missing == ["second"]


def test_numpy_in_findings_becomes_plain_and_what_is_not_finite_was_not_measured():
    found = plain(
        Findings(
            {"speed": np.float64(2.5), "none": float("nan"), "ratio": float("inf")},
            [Table("t", ["x"], [[np.int64(3)], [float("nan")]])],
            {"x": np.arange(3), 1: (np.float32(0.5), None)},
        )
    )
    assert found.figures == {"speed": 2.5}
    assert found.tables[0].rows == [[3], [None]]
    assert found.data == {"x": [0, 1, 2], "1": [0.5, None]}
    with pytest.raises(TypeError, match="no plain data"):
        plain(Findings({}, data={"x": object()}))


def test_bars_of_a_part_are_sent_to_whoever_owns_the_terminal():
    sent: list[progress.Bar] = []
    progress.send_to(sent.append)
    try:
        assert list(progress.track([4, 5, 6], "simulate")) == [4, 5, 6]
    finally:
        progress.send_to(None)
    assert (sent[0].says, sent[0].done, sent[0].total) == ("simulate", 0, 3)
    assert (sent[-1].done, sent[-1].ended) == (3, True)
    assert list(progress.track(iter([1]), "alone")) == [1]


def test_the_terminal_shows_the_part_its_bars_and_whole_lines_that_it_prints():
    terminal = Console(file=StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    with Display(terminal, "drift", 2, 9) as display:
        display.bar(progress.Bar(4, "simulate circuits", 3, 7))
        display.say("half a line, ")
        display.say("the other half\nno end")
        display.bar(progress.Bar(4, "simulate circuits", 7, 7, ended=True))
        display.bar(progress.Bar(5, "gone before it was shown", 1, 1, ended=True))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.file.getvalue())
    assert "drift, part 3 of 9" in shown
    assert "3/7" in shown
    assert "  half a line, the other half\n" in shown
    assert "  no end\n" in shown


def test_a_title_is_the_first_line_without_its_full_stop():
    assert title("\nWaits and drift.\n\nMore.") == "Waits and drift"
    assert title(None) == ""
