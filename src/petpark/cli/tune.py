"""The command `tune`: a search for better settings of the stage `train`."""

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petpark.cli.types import Commands

_EXAMPLES = """examples:
  petpark tune --trials 40               search; run it again and it goes on, with --trials 60 farther
  petpark tune --timeout 120 --write     at most two hours, then write the best settings into params.yaml
  petpark tune --sampler grid            try every combination of the listed values
  petpark tune --shard 2/4               the second of four machines; `petpark tune merge` puts them together

What is searched stands in params.yaml under `tune`; docs/tune.md says more. No stage and no model is touched."""


def add_commands(commands: "Commands") -> None:
    """Add the commands of this module."""
    tune = commands.add_parser(
        "tune",
        help="search for better settings of `train`",
        description="Search for better settings of the stage `train`, judged on the validation side.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tune.add_argument(
        "--trials", type=_positive, metavar="N", help="trials in all (default: 20; of a grid, every combination)"
    )
    tune.add_argument(
        "--timeout", type=_minutes, default=math.inf, metavar="MINUTES", help="make a pause after so many minutes"
    )
    tune.add_argument(
        "--workers", type=_positive, default=1, metavar="N", help="processes that share the cores (default %(default)s)"
    )
    tune.add_argument(
        "--sampler",
        choices=("tpe", "random", "grid"),
        default="tpe",
        help="how values are drawn: tpe learns from the trials before (default), grid tries every combination",
    )
    tune.add_argument("--shard", type=_shard, default=(1, 1), metavar="K/N", help="do the K-th of N parts of it")
    _add_write(tune)
    tune.set_defaults(run=_tune)
    _add_actions(tune)


def _add_actions(tune: argparse.ArgumentParser) -> None:
    actions = tune.add_subparsers(title="actions", dest="action", metavar="ACTION")
    show = actions.add_parser(
        "show",
        help="show the best trials of a search, and make its page again",
        description="Show the best trials of a search, and make its page, reports/tune.html, again.",
        epilog="example: petpark tune show --write",
    )
    show.add_argument("study", nargs="?", metavar="STUDY", help="file of the search (default: reports/tune.db)")
    _add_write(show)
    show.set_defaults(run=_show)
    merge = actions.add_parser(
        "merge",
        help="make one study of the parts that several machines searched",
        description="Make one study, reports/tune.db, of the parts of a search that several machines shared.",
        epilog="example: petpark tune merge shards/*/tune-*.db --write",
    )
    merge.add_argument("studies", nargs="+", metavar="STUDY", help="file that `petpark tune --shard K/N` wrote")
    _add_write(merge)
    merge.set_defaults(run=_merge)


def _add_write(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write",
        action="store_true",
        default=argparse.SUPPRESS,
        help="write the settings of the best trial into params.yaml",
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _minutes(text: str) -> float:
    value = float(text)
    if value < 0:
        raise ValueError
    return value


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not 1 <= int(number) <= int(count):
        raise ValueError
    return int(number), int(count)


# As argparse's complaints name them.
_positive.__name__, _minutes.__name__, _shard.__name__ = "whole number above 0", "number of minutes", "K/N"


def _tune(args: argparse.Namespace) -> None:
    from petpark.config.params import load_params

    params = load_params()
    from petpark.build.tune.plan import Shard, plan

    trials = args.trials or (None if args.sampler == "grid" else 20)
    planned = plan(params, args.sampler, trials, Shard(*args.shard), args.timeout)
    from petpark.build.tune.search import search  # not before: a wrong search space shows at once

    search(planned, args.workers, lambda line: print(line, flush=True))
    from petpark.build.tune import outcome  # not before: what draws the page is no part of what trains

    print(outcome.told(planned.study, params, write=_writes(args)))


def _show(args: argparse.Namespace) -> None:
    from pathlib import Path

    from petpark.config.params import load_params

    params = load_params()
    from petpark.build.tune import outcome, studies

    print(outcome.told(Path(args.study or studies.STUDY), params, write=_writes(args)))


def _merge(args: argparse.Namespace) -> None:
    from pathlib import Path

    from petpark.config.params import load_params

    params = load_params()
    from petpark.build.tune import merge, outcome, studies

    missing = merge.merge([Path(name) for name in args.studies], studies.STUDY)
    if missing:
        print(f"Without shard {', '.join(map(str, missing))}: what it found is not in here.")
    print(outcome.told(studies.STUDY, params, write=_writes(args)))


def _writes(args: argparse.Namespace) -> bool:
    return getattr(args, "write", False)
