"""The command line: `spred-bench task=... key=value`, and the verbs.

Exit codes: 0 done, 1 a cell failed, 2 the command, configuration or data is wrong, 130 / 143 interrupted.
"""

import re
import shlex
import sys

from spred_bench.commands import output
from spred_bench.errors import UserError

# What hydra answers itself, without running anything.
_HYDRA_ONLY = ("cfg", "info", "hydra_help", "shell_completion")


def main(argv: list[str] | None = None) -> None:
    """Entry point of the console script; leaves through SystemExit with the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    with output.patient() as out:
        code = _code_of(argv)
    if out.error is not None and not isinstance(out.error, BrokenPipeError):  # a reader that has left has read enough
        print(f"spred-bench: error: standard output: cannot write ({out.error.strerror})", file=sys.stderr)
        code = code or 2
    sys.exit(code)


def _code_of(argv: list[str]) -> int | str | None:
    """The exit code of a command. A mistake of the user is one line."""
    try:
        return _dispatch(argv)
    except UserError as error:
        print(f"spred-bench: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except SystemExit as leaving:
        return leaving.code


def _dispatch(argv: list[str]) -> int:
    if "--wide" in argv:
        from spred_bench.reporting.tables import terminal

        terminal.show_all_columns()
        argv = [word for word in argv if word != "--wide"]
    if argv[:1] in (["--version"], ["--help"], ["-h"]):
        argv = [{"-h": "help"}.get(argv[0], argv[0].lstrip("-")), *argv[1:]]
    if argv and re.fullmatch(r"[a-z]+", argv[0]):
        from spred_bench.commands import verbs

        return verbs.run(argv[0], argv[1:])
    from spred_bench.running import composition, listing, words

    options, flags = words.read(argv)
    with listing.with_folder(options.config_dir):
        if options.help:
            return _dispatch(["help"])
        plans = composition.Plans()
        if any(getattr(options, name) for name in _HYDRA_ONLY):
            composition.require_composable(options)
        else:
            plans = composition.check(options)
        return _run_hydra("spred-bench " + shlex.join(argv), [*flags, *options.overrides], plans)


def _run_hydra(shown: str, argv: list[str], plans) -> int:
    """Hand over to hydra, which calls `command` once per run; the exit code. `plans`: built before."""
    import hydra

    from spred_bench.running import composition
    from spred_bench.running.sweeps import sweeping
    from spred_bench.running.sweeps.jobs import Job
    from spred_bench.system.files import config_dir

    composition.register_resolvers()
    sweeping.register()
    command = sweeping.Command(Job(shown), plans)
    sys.argv = [sys.argv[0], *argv]
    hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="config")(command)()
    return command.close()
