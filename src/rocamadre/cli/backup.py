"""`roca backup` and `roca restore`."""

from __future__ import annotations

from pathlib import Path

import click

from rocamadre.cli.archive import read_archive, write_archive
from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.output import progress, readable_size
from rocamadre.cli.process import starting
from rocamadre.cli.session import Session, print_json, with_json


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--without-models", is_flag=True, help="Leave model weights out; they can be pulled again.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@with_json
@click.pass_obj
def backup(session: Session, file: Path, without_models: bool, force: bool, as_json: bool) -> None:
    """Write the state to a file.

    The server may run meanwhile: databases are copied as of one moment. The file holds keys, so it is readable by
    you only; keep it so.

    \b
    Examples:
      roca backup ~/rocamadre.tar.gz
      roca backup --without-models small.tar.gz
    """
    if session.settings.database:
        raise CommandFailed("the state is in the database of the setting `database`; back that up with its own tools")
    if file.exists() and not force:
        raise CommandFailed(f"{file} exists; give another name, or --force")
    if not session.home.is_dir():
        raise CommandFailed(f"there is no state in {session.home} yet")
    with progress(f"writing {file}") as advance:
        manifest = write_archive(session.home, file, models=not without_models, advance=advance)
    size = sum(entry["size_bytes"] for entry in manifest["files"].values())
    if as_json:
        print_json({"file": str(file), "files": len(manifest["files"]), "size_bytes": size})
    else:
        click.echo(f"{len(manifest['files'])} files, {readable_size(size)}, in {file}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the state that is there; it is kept beside, renamed.")
@with_json
@click.pass_obj
def restore(session: Session, file: Path, force: bool, as_json: bool) -> None:
    """Put the state of a backup back.

    Every file is checked against the backup's list before the state is replaced; the server must not run.

    \b
    Examples:
      roca restore ~/rocamadre.tar.gz
      roca --home /srv/rocamadre restore rocamadre.tar.gz
    """
    home = session.home
    with starting(home):
        if session.find_server():
            raise CommandFailed("the server runs on this state; stop it with `roca down` first")
        if not force and (home / "platform.sqlite").exists():
            raise CommandFailed(f"{home} holds a state; --force replaces it and keeps it beside, renamed")
        with progress(f"reading {file}") as advance:
            kept = read_archive(file, home, advance=advance)
    if as_json:
        print_json({"home": str(home), "kept": str(kept) if kept else None})
    else:
        click.echo(f"restored to {home}" + (f"; what was there is now {kept}" if kept else ""))
