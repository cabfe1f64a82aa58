"""An example or two of every verb, for `--help`, the manual page and the reference.

Theory of operation: plain text, as it is typed. A test lets the parser of each verb read its examples,
so none of them can have a flag that is not there.
"""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """A command line, and what it is good for."""

    line: str
    meaning: str


_TEXTS: dict[str, tuple[tuple[str, str], ...]] = {
    "up": (
        ("pmon3 up", "the file of this folder: ./pmon3.yaml, or what config.yml names"),
        ("pmon3 up -f app.yaml --profile dev", "this manifest, with its profile dev"),
    ),
    "down": (
        ("pmon3 down", "what was declared and submitted comes back with the next pmon3 up"),
        ("pmon3 down --keep", "leave the processes running; the next pmond takes them over"),
        ("pmon3 down --delete", "and forget them, with all sets and their history"),
    ),
    "exec": (
        ("pmon3 exec ./app --name web -- --port 8080", "a program of this folder, with arguments"),
        ("pmon3 exec node --name api -- server.js", "an interpreter found on PATH runs here, in this folder"),
        ("pmon3 exec ./worker -u www-data -e 'MODE=prod' --restart on-failure", "as another user"),
    ),
    "ls": (
        ("pmon3 ls 'web*' -g front", "those named web…, and the members of a group"),
        ("pmon3 ls --failed -o wide", "what is not well, with its commands and reasons"),
        ("pmon3 ls --watch --sort cpu", "again at each change, the busiest first"),
        ("pmon3 ls -o json | jq '.[].pid'", "for a script"),
    ),
    "desc": (("pmon3 desc web", "why it is as it is, and its last lines"),),
    "log": (
        ("pmon3 log web -n 100", "the last 100 lines"),
        ("pmon3 log web --all | less -R", "all of it, rotated files first"),
        ("pmon3 log '*' --since 10m --grep error -i", "what went wrong lately, wherever"),
        ("pmon3 log web --run last --timestamps", "what its last run has written, and when"),
    ),
    "logf": (
        ("pmon3 logf web worker", "several at once, with their names in front"),
        ("pmon3 logf -g front -n 0", "only what is new, of a group"),
        ("pmon3 logf web --both --json", "standard output and standard error, for programs"),
    ),
    "signal": (
        ("pmon3 signal web USR1", "to its main program"),
        ("pmon3 signal web worker HUP --tree", "to all processes of two"),
    ),
    "reload": (
        ("pmon3 reload web", "by its reload.command, or a SIGHUP"),
        ("pmon3 reload -g front", "all of a group"),
    ),
    "start": (
        ("pmon3 start web", "lift a stop"),
        ("pmon3 start web -e 'PORT=81 MODE=prod'", "with these variables instead of all there were"),
    ),
    "stop": (
        ("pmon3 stop web worker", "two of them"),
        ("pmon3 stop '*' --timeout 30s", "all, and wait at most 30 seconds"),
    ),
    "restart": (
        ("pmon3 restart web", "ask it to end, start it again, wait until it is ready"),
        ("pmon3 restart -l tier=backend --no-wait", "all with a label, without waiting"),
    ),
    "del": (("pmon3 del old-job", "stop it and forget it"),),
    "kill": (("pmon3 kill", "stop everything; pmon3 init starts what should run"),),
    "drop": (("pmon3 drop", "stop everything and forget it"),),
    "reset": (("pmon3 reset web", "count restarts from 0 again"),),
    "group": (
        ("pmon3 group ls", "all groups"),
        ("pmon3 group create front", "a new one"),
        ("pmon3 group assign front web,proxy", "put two processes into it"),
        ("pmon3 group remove front proxy", "take one out again"),
        ("pmon3 group desc front", "the group and its processes"),
        ("pmon3 group restart front", "restart all of them"),
        ("pmon3 group stop front", "stop all of them"),
        ("pmon3 group drop front", "stop all of them and forget them"),
        ("pmon3 group del front", "the group alone; its processes stay"),
    ),
    "validate": (
        ("pmon3 validate app.yaml", "every mistake with its place"),
        ("pmon3 validate deploy/ --format github", "a folder, as annotations of a GitHub workflow"),
    ),
    "explain": (("pmon3 explain restart.max_delay", "what it means, its default, what a change costs"),),
    "schema": (("pmon3 schema > pmon3.schema.json", "for editors"),),
    "set": (
        ("pmon3 set web restart.delay=5s", "show what would change in the file"),
        ("pmon3 set web 'args=--port 8081' --write", "change it"),
    ),
    "export": (
        ("pmon3 export yaml > all.yaml", "everything that is there"),
        ("pmon3 export --into app.yaml web", "bring a file to what is in force, its comments kept"),
    ),
    "convert": (
        ("pmon3 convert /etc/supervisor/supervisord.conf > app.yaml", "a manifest of what supervisord runs"),
        ("pmon3 convert app.yaml --to toml", "the same manifest in another format"),
    ),
    "init": (("pmon3 init", "after kill, or after editing with disable_reloads"),),
    "diff": (
        ("pmon3 diff -f app.yaml", "each field that differs, and what it costs"),
        ("pmon3 diff -f app.yaml -o yaml", "as a unified diff"),
    ),
    "plan": (("pmon3 plan -f app.yaml --out p.json", "save the plan; pmon3 apply p.json runs exactly it"),),
    "apply": (
        ("pmon3 apply -f app.yaml", "start and change what differs, and wait until it is ready"),
        ("pmon3 apply -f deploy/ --prune -m 'release 7'", "a folder; what it no longer declares is deleted"),
        ("pmon3 apply -f app.yaml --max-parallel 10 --on-failure rollback", "faster, and back if one fails"),
    ),
    "status": (
        ("pmon3 status", "all sets, and what keeps them from being in sync"),
        ("pmon3 status app.yaml -o json", "one of them, by its path"),
    ),
    "history": (("pmon3 history app.yaml", "the revisions of a set"),),
    "rollback": (
        ("pmon3 rollback app.yaml", "to the revision before"),
        ("pmon3 rollback app.yaml --to 7 --dry-run", "what going back to revision 7 would do"),
    ),
    "scale": (
        ("pmon3 scale web=6 worker=2", "until unhold; waits until they are ready"),
        ("pmon3 scale web=6 --write", "and the manifest says so from now on"),
    ),
    "reconcile": (("pmon3 reconcile", "do at once what the next look would do"),),
    "hold": (("pmon3 hold web --for 2h --reason 'disk swap'", "down for two hours, and everybody sees why"),),
    "unhold": (("pmon3 unhold web", "as its manifest says again"),),
    "suspend": (("pmon3 suspend app.yaml --for 1h --reason freeze", "no new content for an hour"),),
    "resume": (("pmon3 resume app.yaml", "what the file says now is taken over"),),
    "release": (("pmon3 release web", "it goes on, and its manifest declares it no more"),),
    "approve": (("pmon3 approve old-db", "delete what `prune: confirm` protects"),),
    "top": (("pmon3 top --sort memory", "the largest first; keys change the order"),),
    "ui": (("pmon3 ui", "? lists the keys, q leaves"),),
    "topn": (("pmon3 topn --seconds 5", "a new picture every 5 seconds"),),
    "web": (
        ("pmon3 web", "prints an address to open; Ctrl-C ends it"),
        ("pmon3 web token create --role operator --name alice", "for somebody who may start and stop"),
        ("pmon3 web --listen 0.0.0.0:9615 --cert web.pem --key web.key", "for others, over TLS"),
    ),
    "runs": (
        ("pmon3 runs backup", "when it ran, how that ended, and who asked for it"),
        ("pmon3 runs backup -n 1 -o json", "the last run, for a script"),
    ),
    "events": (
        ("pmon3 events web -n 20", "the last 20 of one process"),
        ("pmon3 events --follow", "and then new ones, until Ctrl-C"),
    ),
    "wait": (
        ("pmon3 wait web db --timeout 30s", "until both are ready"),
        ("pmon3 wait job --for exited=0", "until it ended well"),
        ("pmon3 wait --set app.yaml --for synced", "until what runs is what the file says"),
    ),
    "pid": (
        ("ls -l /proc/$(pmon3 pid web)/fd", "what it has open"),
        ("pmon3 pid", "of pmond itself"),
    ),
    "cat": (("pmon3 cat web", "its entry, with the line that each value comes from"),),
    "shell": (
        ("sudo pmon3 shell web", "look round where it runs, as whom it runs"),
        ("pmon3 shell web -- env", "one command there"),
    ),
    "dial-stdio": (("ssh web1 pmon3 dial-stdio", "what pmon3 --host ssh://web1 has ssh run"),),
    "dgraph": (("pmon3 dgraph -o dot | dot -Tsvg > graph.svg", "as a picture"),),
    "metrics": (
        ("pmon3 metrics", "all of them, as OpenMetrics"),
        ("pmon3 metrics --format prometheus > pmon3.prom", "as node_exporter reads files"),
    ),
    "doctor": (("pmon3 doctor", "what this host offers, and what is in use"),),
    "version": (("pmon3 version -o json", "with the places that pmond uses"),),
    "service": (
        ("sudo pmon3 service install", "for the machine: unit, configuration, start"),
        ("pmon3 service install --user", "for yourself"),
        ("pmon3 service status", "which files are there, and whether it runs"),
        ("sudo pmon3 service uninstall", "stop it and remove the files; configuration, data and logs stay"),
    ),
    "upgrade": (("pip install -U pmon3 && pmon3 upgrade", "no process notices"),),
    "completion": (("pmon3 completion bash >> ~/.bashrc", "then open a new shell"),),
}  # fmt: skip


def of(verb: str) -> tuple[Example, ...]:
    """The examples of a verb, or of one of its subcommands (`group ls`)."""
    name, _, subcommand = verb.partition(" ")
    found = [Example(*pair) for pair in _TEXTS.get(name, ())]
    return tuple(one for one in found if not subcommand or f"pmon3 {verb}" in one.line)
