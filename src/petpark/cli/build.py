"""Commands of build: the stages, the gate, predictions by hand."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petpark.cli.types import Commands


def add_commands(commands: "Commands") -> None:
    """Add the commands of this module."""
    _add_stages(commands)
    gate = commands.add_parser(
        "gate",
        help="say yes or no, with reasons",
        description="Say yes or no, with reasons (exit status 0 or 1); 2 where there is no verdict.",
    )
    kinds = gate.add_subparsers(title="gates", dest="gate", metavar="GATE", required=True)
    of_build = kinds.add_parser(
        "build",
        help="may this model be merged?",
        description="Judge data, package and evaluation by policy.yaml, and compare with the champion.",
        epilog="example: petpark gate build --champion main",
    )
    of_build.add_argument(
        "--champion",
        metavar="REVISION",
        help="Git revision whose model is to be beaten (default: HEAD, if it has a model)",
    )
    of_build.set_defaults(run=_gate_build)
    predict = commands.add_parser(
        "predict",
        help="classify photos",
        description="Classify photos; one line each: label, confidence, file. Unsure answers carry a question mark.",
        epilog="example: petpark predict photos/*.jpg",
    )
    predict.add_argument("photos", nargs="+", metavar="FILE")
    predict.add_argument("--model", help="packaged model (default: the one inside the wheel, else models/model.onnx)")
    predict.set_defaults(run=_predict)
    lock = commands.add_parser("lock", help="dvc.lock: ask and merge", description="Ask about dvc.lock, and merge it.")
    actions = lock.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    fresh = actions.add_parser(
        "fresh",
        help="is there nothing to run?",
        description="Exit status 0 if dvc.lock is the result of what is checked out, 1 if a stage has to run.",
    )
    fresh.set_defaults(run=_lock_fresh)
    merge = actions.add_parser(
        "merge",
        help="bring in what other machines reproduced",
        description="Bring the stages that other machines reproduced from their dvc.lock into the one here.",
        epilog="example: petpark lock merge jobs/*/dvc.lock",
    )
    merge.add_argument("locks", nargs="+", metavar="LOCK")
    merge.set_defaults(run=_lock_merge)


def _add_stages(commands: "Commands") -> None:
    ingest = commands.add_parser(
        "ingest",
        help="stage: check and store one batch",
        description="Check every photo of data/BATCH.tar, and write its manifest and shard.",
        epilog="example: petpark ingest sample-1 --sha256 9c1f...",
    )
    ingest.add_argument("batch")
    ingest.add_argument("--sha256", required=True, help="what the archive must be")
    ingest.set_defaults(run=_ingest)
    stages = {
        "split": (_split, "divide the photos between the sides"),
        "validate": (_validate, "examine the data"),
        "train": (_train, "train the model"),
        "package": (_package, "make the file that ships"),
        "evaluate": (_evaluate, "judge the packaged file"),
    }
    for name, (run, what) in stages.items():
        stage = commands.add_parser(
            name,
            help=f"stage: {what}",
            description=f"{what.capitalize()}; settings stand in params.yaml under `{name}`.",
        )
        stage.set_defaults(run=run)
    sample = commands.add_parser(
        "sample",
        help="draw the sample batches",
        description="Draw the sample batches, byte for byte the same each time.",
        epilog="example: petpark sample /tmp/sample",
    )
    sample.add_argument("folder", nargs="?", default="data", help="where the archives go (default %(default)s)")
    sample.set_defaults(run=_sample)


# Each stage reads its settings before it imports what it runs: a typo in them is found at once.


def _ingest(args: argparse.Namespace) -> None:
    from petpark.config.params import load_params

    params = load_params()
    from petpark.build.ingest import ingest

    ingest(args.batch, args.sha256, params.ingest)


def _split(_: argparse.Namespace) -> None:
    from petpark.config.params import load_params

    params = load_params()
    from petpark.build.split import split

    split(params.ingest, params.split)


def _validate(_: argparse.Namespace) -> None:
    from petpark.config.params import load_params

    params = load_params()
    from petpark.build.validate import validate

    validate(params.ingest, params.split, params.validate_)


def _train(_: argparse.Namespace) -> int | None:
    from petpark.config.params import load_params

    params = load_params()
    if params.train.processes > 1:
        from petpark.build import processes

        if not processes.started():
            return processes.launch(params.train.processes, "train")
    from petpark.build.train import train

    train(params.train, params.seed)
    return None


def _package(_: argparse.Namespace) -> None:
    from petpark.config.params import load_params
    from petpark.config.policy import load_policy

    params, policy = load_params(), load_policy()
    from petpark.build.package import package

    package(params.package, policy.package.max_int8_loss, params.ingest.names("train"), params.seed)


def _evaluate(_: argparse.Namespace) -> None:
    from petpark.config.params import load_params
    from petpark.config.policy import load_policy

    params, policy = load_params(), load_policy()
    from petpark.build.evaluate import evaluate

    evaluate(params.evaluate, policy.cost.matrix, params.seed)


def _sample(args: argparse.Namespace) -> None:
    from pathlib import Path

    from petpark.build.sample import draw_sample

    for path in draw_sample(Path(args.folder)).values():
        print(path)


def _gate_build(args: argparse.Namespace) -> int:
    from petpark.config.params import load_params
    from petpark.config.policy import load_policy

    params, policy = load_params(), load_policy()
    from petpark import gate
    from petpark.build.review import review
    from petpark.report.text import summary

    found = review(args.champion, policy, params.seed)
    verdict = gate.judge(found, policy, gate.BUILD_RULES)
    print(summary(found, verdict.reasons))
    return 0 if verdict.passed else 1


def _predict(args: argparse.Namespace) -> int:
    from pathlib import Path

    from petpark import embedded, layout
    from petpark.classifier import Classifier
    from petpark.cli.reading import read_photo
    from petpark.cli.terminal import printable
    from petpark.errors import PetparkError

    model = args.model or embedded.carried(embedded.MODEL) or layout.MODEL
    classifier, failed = Classifier(model), False
    for name in args.photos:
        try:
            answer = classifier.predict(read_photo(Path(name)))
        except (PetparkError, OSError) as error:
            failed = True
            why = getattr(error, "strerror", None) or error
            print(f"{'-':>12}          {printable(f'{name}: {why}')}")
        else:
            unsure = "?" if answer.unsure else " "
            print(f"{printable(answer.label):>12} {answer.confidence:7.1%}{unsure} {printable(name)}")
    return 2 if failed else 0


def _lock_fresh(_: argparse.Namespace) -> int:
    from petpark.build.lock import stale

    reason = stale()
    print(reason or "dvc.lock is the result of what is checked out")
    return 1 if reason else 0


def _lock_merge(args: argparse.Namespace) -> None:
    from pathlib import Path

    from petpark.build.lock import merge

    print("brought in:", ", ".join(merge([Path(path) for path in args.locks])) or "nothing")
