"""The `posetrack` command: finds its subcommands lazily and turns errors into one line each."""

from __future__ import annotations

import difflib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from posetrack import __version__
from posetrack.errors import BackendMissing, ConfigError, PosetrackError, StageError

# Name -> (module that holds `app`, one line for the help). The line stands here so that
# `posetrack --help` imports none of the commands.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("posetrack.cli.run", "Track people in a video, an image or a folder of images."),
    "batch": ("posetrack.cli.batch", "Track people in thousands of videos, some at a time."),
    "webcam": ("posetrack.cli.webcam", "Track people live: a camera or a stream."),
    "devices": ("posetrack.cli.devices", "List the cameras of this machine and their formats."),
    "serve": ("posetrack.cli.serve", "Track many streams at once and serve their poses."),
    "demo": ("posetrack.cli.demo", "Make a clip with people in it and track them."),
    "bench": ("posetrack.cli.bench", "Measure models and the whole loop on this machine."),
    "models": ("posetrack.cli.models", "List, describe, fetch and verify models."),
    "tracks": ("posetrack.cli.tracks", "Show and repair the tracks of a run."),
    "convert": ("posetrack.cli.convert", "Write the records of a run in another tool's format."),
    "plot": ("posetrack.cli.plot", "Draw paths, angles, speeds and more of a run."),
    "view": ("posetrack.cli.view", "Look at a run frame by frame and put its tracks right."),
    "compare": ("posetrack.cli.compare", "Measure how two runs of a video differ."),
    "synth": ("posetrack.cli.synth", "Draw clips of people with the exact truth about them."),
    "dataset": ("posetrack.cli.dataset", "Check, split and convert annotated pictures."),
    "train": ("posetrack.cli.train", "Train a detector or a pose model from a recipe."),
    "evaluate": ("posetrack.cli.evaluate", "Measure accuracy on annotated pictures."),
    "export": ("posetrack.cli.export", "Turn a checkpoint into a model folder."),
    "publish": ("posetrack.cli.publish", "Strip a checkpoint to hand it on."),
    "doctor": ("posetrack.cli.doctor", "Say what works on this machine and what does not."),
}

EXIT_FAILED, EXIT_USAGE = 1, 2

# typer does not export the base of its usage errors, and where it lives changed between versions.
_UsageError: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)


class LazyCommands(TyperGroup):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """A stand-in that knows its help line; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command behind `args`, imported now."""
        near = difflib.get_close_matches(args[0], COMMANDS, 1)
        if args[0] not in COMMANDS and near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS and command is not None:
            module = import_module(COMMANDS[name][0])
            command = typer.main.get_command(module.app)
            command.name = name
        return name, command, rest


app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help answers in a third of the time
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"posetrack {__version__}")
        raise typer.Exit


@app.callback()
def posetrack(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole trace of an error (before or after).")
    ] = False,
    model_dir: Annotated[
        str,
        typer.Option("--model-dir", help="Where fetched models are kept (before or after)."),
    ] = "",
) -> None:
    """Real-time multi-person pose tracking: keypoints and lasting ids, from a file or live."""


def exit_code(error: BaseException) -> int:
    """The exit status an error stands for; that of its cause, where a stage failed."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConfigError | BackendMissing):
            return EXIT_USAGE
        seen = seen.__cause__ if isinstance(seen, PosetrackError) else None
    return EXIT_FAILED


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status of the command line `argv` (default: that of the process)."""
    args = list(sys.argv[1:] if argv is None else argv)
    # Accepted anywhere, so that it can be appended to the command that failed.
    debug = "--debug" in args
    args = [arg for arg in args if arg != "--debug"]
    try:
        args, folder = _without_model_dir(args)
        with _models_in(folder):
            status = app(args, prog_name="posetrack", standalone_mode=False)
    except _UsageError as error:
        return _say(error.format_message(), EXIT_USAGE)  # type: ignore[attr-defined]
    except (KeyboardInterrupt, typer.Abort):
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output is gone; nothing more can be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except PosetrackError as error:
        if debug:
            raise
        return _say(message_of(error), exit_code(error))
    except Exception as error:
        if debug:
            raise
        what = f"{type(error).__name__}: {error}"
        return _say(f"internal error, {what}: run again with --debug and report it", EXIT_FAILED)
    return status if isinstance(status, int) else 0


def _without_model_dir(args: list[str]) -> tuple[list[str], str | None]:
    """The arguments but ``--model-dir DIR``, accepted anywhere as well, and DIR."""
    names = ("--model-dir", "--model_dir")
    for at, arg in enumerate(args):
        name, equals, folder = arg.partition("=")
        if name in names and equals:
            return [*args[:at], *args[at + 1 :]], folder
        if name in names and at + 1 < len(args):
            return [*args[:at], *args[at + 2 :]], args[at + 1]
    return args, None


@contextmanager
def _models_in(folder: str | None) -> Iterator[None]:
    """Meanwhile models are kept there, for the processes that this one starts too."""
    variable = "POSETRACK_MODELS"
    before = os.environ.get(variable)
    if folder is not None:
        os.environ[variable] = folder
    try:
        yield
    finally:
        if folder is not None:
            os.environ.pop(variable)
            if before is not None:
                os.environ[variable] = before


def message_of(error: PosetrackError) -> str:
    """What went wrong; which stage found out matters only where the cause is no expected one."""
    cause = error.__cause__
    if not isinstance(error, StageError) or not isinstance(cause, PosetrackError):
        return str(error)
    return str(cause) if error.frame is None else f"{cause} (at frame {error.frame})"


def _say(message: str, status: int) -> int:
    if message:  # a command without arguments has shown its help and has nothing to add
        print(f"posetrack: {' '.join(message.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
