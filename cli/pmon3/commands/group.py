"""`group`: groups of processes and what can be done to all of their members."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pmon3 import options, output, spec_overrides, waiting
from pmon3.address import connect
from pmon3.client import Client, path_segment
from pmon3.names import query
from pmon3.render import group_table, process_table, property_table
from pmon3.table import Style

SUMMARY = "Groups of processes."

group = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="GROUP", help="Its id or name.")]
Names = Annotated[str, typer.Argument(metavar="GROUPS", help="Ids or names, comma-separated.")]
Members = Annotated[str, typer.Argument(metavar="PROCESSES", help="Ids, names or globs, comma-separated.")]


@group.command("ls")
@group.command("list", hidden=True)
def ls(shape: options.Output = options.OutputFormat.TABLE) -> None:
    """List groups."""
    _show_groups(connect(), shape.value)


@group.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the new group.")],
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Create a group."""
    client = connect()
    client.post("/v1/groups", {"name": name})
    _show_groups(client, shape.value)


@group.command("del")
@group.command("delete", hidden=True)
def delete(name: Name, shape: options.Output = options.OutputFormat.TABLE) -> None:
    """Delete a group; its processes stay."""
    client = connect()
    client.delete(f"/v1/groups/{path_segment(name)}")
    _show_groups(client, shape.value)


@group.command("desc")
@group.command("show", hidden=True)
def desc(name: Name, shape: options.Output = options.OutputFormat.TABLE) -> None:
    """Show a group and its processes."""
    _show_group(connect(), name, shape.value)


@group.command("assign")
def assign(names: Names, processes: Members, shape: options.Output = options.OutputFormat.TABLE) -> None:
    """Put processes into groups."""
    _change_membership("assign", names, processes, shape.value)


@group.command("remove")
def remove(names: Names, processes: Members, shape: options.Output = options.OutputFormat.TABLE) -> None:
    """Take processes out of groups."""
    _change_membership("remove", names, processes, shape.value)


@group.command("stop")
def stop(
    name: Name,
    force: options.Force = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Stop all processes of a group."""
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    body = options.selection(None, [name]) | {"force": force}
    waiting.show_touched(waiting.act(connect(), "stop", body, waiting.STOPPED, wait_options), shape.value)


@group.command("restart")
@group.command("start", hidden=True)
def restart(
    name: Name,
    args: spec_overrides.Arguments = None,
    user: spec_overrides.User = None,
    log: Annotated[str | None, typer.Option("--log", "-l", metavar="FILE", help="New log file.")] = None,
    log_dir: Annotated[
        str | None,
        typer.Option("--log-dir", "--log_dir", "-d", metavar="FOLDER", help="New folder of the log files."),
    ] = None,
    no_autorestart: spec_overrides.NoAutorestart = None,
    env_vars: spec_overrides.Environment = None,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Restart all processes of a group."""
    changes = spec_overrides.SpecOverrides(args, user, log, log_dir, no_autorestart, env_vars)
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    spec_overrides.bring_up("restart", options.selection(None, [name]), changes, wait_options, shape.value)


@group.command("drop")
def drop(
    name: Name,
    force: options.Force = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Stop and delete all processes of a group; the group stays."""
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    client = connect()
    chosen = options.selection(None, [name])
    before = client.get("/v1/processes", query(chosen))
    settled = waiting.act(client, "delete", chosen | {"force": force}, waiting.DELETED, wait_options)
    waiting.show_touched(waiting.deleted(before, settled), shape.value)


def _show_groups(client: Client, shape: str) -> None:
    groups = client.get("/v1/groups")
    output.emit(groups, shape, lambda style: group_table(groups, style))


def _show_group(client: Client, name: str, shape: str) -> None:
    found = client.get(f"/v1/groups/{path_segment(name)}")
    output.emit(found, shape, lambda style: _group_text(found, style))


def _group_text(found: dict[str, Any], style: Style) -> str:
    properties = [("id", str(found["id"])), ("name", found["name"])]
    return property_table(properties, style) + process_table(found["processes"], style)


def _change_membership(verb: str, names: str, processes: str, shape: str) -> None:
    client = connect()
    groups = options.comma_list([names])
    client.post(f"/v1/groups/{verb}", {"groups": groups, "refs": options.comma_list([processes])})
    if len(groups) == 1:
        _show_group(client, groups[0], shape)
        return
    found = [client.get(f"/v1/groups/{path_segment(name)}") for name in groups]
    output.emit(found, shape, lambda style: "".join(_group_text(one, style) for one in found))
