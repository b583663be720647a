"""`posetrack serve`: the daemon."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from posetrack.errors import BackendMissing

app = typer.Typer(add_completion=False)

_NEEDED = ("fastapi", "uvicorn", "httptools", "prometheus_client", "websockets")
_FLAGS = {
    "listen.host": "--host",
    "listen.port": "--port",
    "security.token_file": "--token-file",
    "security.insecure_no_auth": "--insecure-no-auth",
    "media.root": "--media-root",
    "log.format": "--log-format",
    "log.level": "--log-level",
}


@app.command()
def serve(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/serve.yaml.")],
    host: Annotated[
        str | None, typer.Option(help="Address to listen at; default 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; default 8791, 0 takes a free one.")
    ] = None,
    token_file: Annotated[str | None, typer.Option(help="A file that holds the token.")] = None,
    insecure_no_auth: Annotated[
        bool, typer.Option("--insecure-no-auth", help="Let everybody in at a public address.")
    ] = False,
    media_root: Annotated[str | None, typer.Option(help="Folder of recordings and files.")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only read the file.")] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Show all settings and stop.")
    ] = False,
) -> None:
    """Track many streams at once and serve their poses over HTTP.

    Flags beat POSETRACK_SECTION_NAME variables, those beat the file. SIGHUP reads it again, SIGTERM
    ends within ten seconds.
    """
    _require_packages()
    from posetrack.serve.settings import ServeConfig, load_serve_config

    flags = dict(
        zip(
            _FLAGS,
            (host, port, token_file, insecure_no_auth or None, media_root, log_format, log_level),
            strict=True,
        )
    )

    def read() -> ServeConfig:
        return load_serve_config(config, environment=os.environ, flags=flags, flag_names=_FLAGS)

    chosen = read()
    if print_config:
        typer.echo(chosen.to_yaml().rstrip())
        return
    if check:
        typer.echo(f"{config}: {len(chosen.streams)} streams, {len(chosen.sinks)} sinks")
        return
    from posetrack.serve.server import serve as run

    run(chosen, read, on_address=lambda address: typer.echo(address))


def _require_packages() -> None:
    """Refuse before anything is read.

    Raises:
        BackendMissing: with what to install.
    """
    from importlib.util import find_spec

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise BackendMissing(
            f"posetrack serve needs {', '.join(missing)}: pip install posetrack[serve]"
        )
