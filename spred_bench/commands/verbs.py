"""The verbs of the command line, such as `list` and `plot`. Each takes its words and returns an exit code."""

import argparse
import os
from pathlib import Path

from spred_bench.components import contract
from spred_bench.errors import UserError
from spred_bench.running import listing
from spred_bench.system.files import write_atomic

_RESULTS_HELP = "folder of results (default: results where it has runs, else results/reference)"


class _Parser(argparse.ArgumentParser):
    """Takes key=value, as a run does, for every argument that it knows: results_dir=x is --results-dir x."""

    def error(self, message):
        raise UserError(f"{self.prog.split()[-1]}: {message}")

    def parse_args(self, words):
        """The words as argparse gives them, options and others in any order. UserError for a wrong one."""
        return self.parse_intermixed_args(self._as_flags(words))

    def _as_flags(self, words: list[str]) -> list[str]:
        actions = {action.dest: action for action in self._actions}
        found, taken = [], False  # the words after --where are conditions, also those that look like arguments
        for word in words:
            taken = word == "--where" or (taken and not word.startswith("--"))
            key, equals, value = word.partition("=")
            if taken or not equals or not key.isidentifier() or "override" in actions:
                found.append(word)
            elif key not in actions:
                known = ", ".join(f"{name}=..." for name in actions if name != "help")
                self.error(f"takes no {key}=...; it takes {known or 'nothing'}")
            elif actions[key].nargs == 0:
                found += [actions[key].option_strings[0]] if value.lower() == "true" else []
            else:
                values = value[1:-1].split(",") if value[:1] == "[" and value[-1:] == "]" else [value]
                flag = actions[key].option_strings[:1]
                found += [part for one in values for part in (*flag, one)]
        return found


def run(verb: str, words: list[str]) -> int:
    """Run one verb. Raises UserError for an unknown one or wrong arguments."""
    if verb not in _VERBS:
        if any(verb in names for names in listing.groups().values()):
            raise UserError(listing.bare_word(verb))
        raise UserError(f"unknown verb '{verb}'; {contract.suggest(verb, _VERBS)}, or key=value as in task=...")
    folder, words = _config_dir(words)
    with listing.with_folder(folder):
        return _VERBS[verb](_Parser(prog=f"spred-bench {verb}", description=_VERBS[verb].__doc__), words)


def _config_dir(words: list[str]) -> tuple[str | None, list[str]]:
    """(the folder of --config-dir, which every verb takes, the other words)."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd")
    known, rest = parser.parse_known_args(words)
    return known.config_dir, rest


def _list(parser, words) -> int:
    """List tasks, data sets, solvers, methods, models and experiments."""
    parser.add_argument("group", nargs="?", help="only this group")
    print(listing.show_list(parser.parse_args(words).group))
    return 0


def _info(parser, words) -> int:
    """Show a component: its yaml, parameters and documentation."""
    parser.add_argument("name", help="as in `list`: cd, or solver/cd")
    print(listing.show_info(parser.parse_args(words).name))
    return 0


def _help(parser, words) -> int:
    """Show how to use the program."""
    parser.parse_args(words)
    print(listing.show_help())
    return 0


def _version(parser, words) -> int:
    """Show versions."""
    parser.parse_args(words)
    print(listing.version())
    return 0


def _collect(parser, words) -> int:
    """Merge the runs of a task (or of all) into results/<task>/records.csv and runs.csv."""
    from spred_bench.running.sweeps import collecting

    parser.add_argument("task", nargs="*", help="tasks; all that have runs when none is named")
    parser.add_argument("--results-dir", type=Path, default=Path("results"))
    parser.add_argument("--where", nargs="+", default=[], metavar="KEY=VALUE", help="only runs so configured")
    parser.add_argument("--output", type=Path, help="folder for the tables (default: that of the task)")
    options = parser.parse_args(words)
    for word in options.where:
        if "=" not in word:
            parser.error(f"--where {word}: expected key=value")
    where = dict(word.split("=", 1) for word in options.where)
    for line in collecting.collect(options.results_dir, options.task, where, options.output):
        print(line)
    return 0


def _plot(parser, words) -> int:
    """Draw figures from records.csv files, as PNG and PDF beside them."""
    from spred_bench.reporting import plots

    parser.add_argument("source", nargs="+", type=Path, help="records.csv files or folders that hold them")
    parser.add_argument("--figure", action="append", help="only this figure (default: all of the task)")
    parser.add_argument("--output", type=Path, help="folder for the figures (default: beside the records)")
    options = parser.parse_args(words)
    for source in options.source:
        for path in plots.draw_file(source, options.figure, options.output):
            print(path)
    return 0


def _claims(parser, words) -> int:
    """Judge every claim of the paper by collected rows; writes claims.csv. A missing measurement is no pass."""
    from spred_bench.reporting.claims import evidence, printing, rules, verdicts

    parser.add_argument("results_dir", metavar="results", nargs="?", type=Path, help=_RESULTS_HELP)
    parser.add_argument("--output", type=Path, default=Path("claims.csv"), help="the table (default: claims.csv)")
    parser.add_argument("--paper", action="store_true", help="list the runs at the paper's size instead")
    options = parser.parse_args(words)
    experiments = rules.load()
    if options.paper:
        print(printing.show_paper_runs(experiments))
        return 0
    folders = evidence.read(options.results_dir or evidence.default_folder())
    table = verdicts.judge(experiments, folders)
    print(printing.show(table))
    if smoke := sum(int((folder.records["scale"] == "smoke").sum()) for folder in folders):
        print(f"{smoke} rows of scale=smoke were left out: they show that the program runs, and nothing else")
    _write_text(options.output, table.to_csv(index=False, lineterminator="\n"))
    return 0


def _report(parser, words) -> int:
    """Write one HTML file with the claims, every figure, settings, commands, hardware and versions."""
    from spred_bench.commands import report
    from spred_bench.reporting.claims import evidence

    parser.add_argument("results_dir", metavar="results", nargs="?", type=Path, help=_RESULTS_HELP)
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="default: report.html")
    options = parser.parse_args(words)
    _write_text(options.output, report.page(options.results_dir or evidence.default_folder()))
    return 0


def _write_text(path: Path, text: str) -> None:

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise UserError(f"--output {path}: cannot write ({error.strerror})") from None
    print(path)


def _doctor(parser, words) -> int:
    """Examine this machine: packages, devices, threads, solvers, launchers, data, disk. Exit code 1 for a problem."""
    from spred_bench.commands import doctor

    parser.add_argument("--results-dir", type=Path, default=Path("results"))
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("SPRED_DATA_DIR", "data")))
    options = parser.parse_args(words)
    return doctor.examine(options.results_dir, options.data_dir)


def _prepare(parser, words) -> int:
    """Fetch and check the data of a task (task=..., data=..., data_dir=...), the only command that downloads."""
    from spred_bench.commands import preparing
    from spred_bench.running import composition

    parser.add_argument("override", nargs="*", help="as for a run: task=..., data=..., data_dir=...")
    options = parser.parse_args(words)
    preparing.prepare(composition.resolved(options.override))
    return 0


_VERBS = {
    **{"help": _help, "list": _list, "info": _info, "doctor": _doctor, "prepare": _prepare},
    **{"collect": _collect, "plot": _plot, "claims": _claims, "report": _report, "version": _version},
}
