"""One service of a compose file as one process, with its replicas."""

from __future__ import annotations

import re
from typing import Any

from pmon3.converting import values
from pmon3.converting.compose_parts import carry_check, carry_limits, duration, memory
from pmon3.converting.data_files import DataFile, mapping
from pmon3.converting.drafts import Draft, Need, Table
from pmon3.converting.folding import folded
from pmon3.converting.nested import NestedEntry
from pmon3.converting.settings import Books, Left, NotCarried, Section, Setting
from pmon3.converting.sources import InputFiles
from pmon3.converting.variables import environment
from pmon3_schema.formats.source import Path

_POLICIES = {"no": "never", "always": "always", "unless-stopped": "always", "on-failure": "on-failure"}
_CONDITIONS = {
    "service_started": "started", "service_healthy": "ready", "service_completed_successfully": "completed",
}  # fmt: skip
_GRACE = "10s"
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""That of a container whose image says none."""
_TRUTH = values.truth()
_NETWORK = Left(
    "programs use the network of this machine", "let the program listen where it is to be reached"
)
_FILES = Left("programs see the folders of this machine", "see `cwd`, and the paths in arguments")
_IMAGE = Left("programs of images are not run", "install the program on this machine")
_ISOLATION = Left("nothing isolates the process as this did", "see `sandbox`")
_SCREEN = Left("there is no terminal")
_WHY = {
    **dict.fromkeys(("ports", "expose", "networks", "network_mode", "hostname", "domainname", "dns",
            "dns_search", "dns_opt",
                     "extra_hosts", "links", "external_links", "mac_address", "ipc", "pid", "uts"), _NETWORK),
    **dict.fromkeys(("volumes", "volumes_from", "tmpfs", "devices", "configs", "secrets", "shm_size"),
            _FILES),
    **dict.fromkeys(("image", "build", "platform", "pull_policy", "init", "container_name", "runtime"),
            _IMAGE),
    **dict.fromkeys(("cap_add", "cap_drop", "privileged", "read_only", "security_opt", "userns_mode",
            "cgroup", "cgroup_parent",
                     "isolation", "sysctls", "group_add", "device_cgroup_rules"), _ISOLATION),
    **dict.fromkeys(("tty", "stdin_open", "attach"), _SCREEN),
    "logging": Left("logs are files of pmond", "see `log_rotate`"),
    "develop": Left("nothing is copied into an image", "see `watch`"),
    "extends": Left("it takes nothing over from others", "write the fields out, or see `defaults:`"),
    "mem_reservation": Left("memory is not set aside", "see `resources`"),
    "oom_score_adj": Left("what the kernel kills first is not set"),
    "oom_kill_disable": Left("what the kernel kills first is not set"),
    "annotations": Left("they are for the engine of containers", "see `labels`"),
}  # fmt: skip


_TABLE: Table = {
    "user": ("user", values.text),
    "stop_signal": ("stop.signal", values.signal_word),
    "profiles": ("profiles", values.texts),
    "mem_limit": ("resources.memory_max", memory),
    "cpus": ("resources.cpu", values.number),
    "pids_limit": ("resources.tasks_max", values.at_least_one),
    "cpu_shares": (
        "resources.cpu_weight",
        lambda value: max(1, min(10_000, values.whole(value, 2) * 100 // 1024)),
    ),
}


class ContainerService(NestedEntry):
    """One entry of `services`."""

    def __init__(
        self, name: str, at: Path, data: DataFile, folder: str, sources: InputFiles, books: Books
    ) -> None:
        super().__init__(name, at, data, books)
        self._folder, self._sources = folder, sources

    def drafts(self) -> list[Draft]:
        """The processes; none where the command is in the image."""
        section = self.section
        entrypoint, command = section.take("entrypoint"), section.take("command")
        words = [*self._words(entrypoint), *self._words(command)]
        if not words:
            image = section.value("image", "an image")
            section.abandon(f"its command is in {image}", "install the program here, and write command: …")
            return []
        deploy = self.part("deploy")
        count = self._count(deploy)
        source = entrypoint or command
        assert source is not None
        drafts = []
        for number in range(max(count, 1)):
            told = len(self.books.losses)
            draft = Draft(self.name if count < 2 else f"{self.name}-{number + 1}", self.books, source)
            draft.aliases.append(self.name)
            self._fill(draft, words, source, deploy)
            if not count:
                draft.put("replicas", 0, section.take("scale") or source)
            drafts.append(draft)
            if number:
                del self.books.losses[told:]
        for key in [key for key in section.keys if key.startswith("x-")]:
            section.take(key)
        section.close(_WHY)
        deploy.close({})
        return folded(drafts, self.name)

    def _words(self, setting: Setting | None) -> list[str]:
        if setting is None:
            return []
        try:
            return values.words(setting.value)
        except NotCarried as reason:
            self.books.lose(setting, reason.reason, reason.advice)
            return []

    def _count(self, deploy: Section) -> int:
        def read(value: Any) -> int:
            return values.whole(value, 0, 1000)

        replicas = deploy.read("deploy.replicas", read, 1)
        return self.section.read("scale", read, replicas)

    def _fill(self, draft: Draft, words: list[str], source: Setting, deploy: Section) -> None:
        section = self.section
        folder = section.take("working_dir")
        cwd = self._sources.seen_from_home(section.read("working_dir", values.text, ".") or ".", self._folder)
        file = words[0]
        relative = "/" in file and not file.startswith("/")
        draft.put(
            "file", self._sources.seen_from_home(file, cwd, self._sources.home) if relative else file, source
        )
        draft.put("args", words[1:], source)
        draft.put("cwd", cwd, folder)
        own = environment(section.take("environment"), self.books)
        usual = {} if "PATH" in own else {"PATH": _USUAL_PATH}
        draft.put("env_inherit", False)
        draft.put("env_vars", usual | own, section.take("environment"))
        self._env_files(draft)
        image = section.take("image")
        if image is not None:
            draft.carry_one(image, "container.image", values.text)  # for clusters alone
            self.books.lose(image, _IMAGE.reason, _IMAGE.advice)
        draft.carry(section, _TABLE)
        labels = section.take("labels")
        draft.put("labels", environment(labels, self.books), labels)
        grace = section.take("stop_grace_period")
        draft.put("stop.timeout", section.read("stop_grace_period", duration, _GRACE), grace)
        self._restarts(draft, deploy)
        carry_limits(self, draft, deploy)
        self._dependencies(draft)
        carry_check(self, draft)

    def _env_files(self, draft: Draft) -> None:
        setting = self.section.take("env_file")
        names = []
        for one in (setting.value if isinstance(setting.value, list) else [setting.value]) if setting else []:
            if isinstance(one, dict):
                names.append(str(one.get("path", "")))
                if one.get("required") is False and setting:
                    self.books.lose(
                        setting,
                        "without the file it does not start here",
                        "create it",
                        key="env_file.required",
                    )
            else:
                names.append(values.text(one))
        draft.put("env_file", [self._sources.seen_from_home(name, self._folder) for name in names], setting)

    def _restarts(self, draft: Draft, deploy: Section) -> None:
        setting = self.section.take("restart")
        policy, _, most = str(setting.value if setting is not None else "no").partition(":")
        policy = {"False": "no", "True": "always"}.get(policy, policy)
        if policy not in _POLICIES and setting is not None:
            self.books.lose(setting, f"{policy!r} is no restart policy", f"one of {', '.join(_POLICIES)}")
        draft.put("restart.policy", _POLICIES.get(policy, "never"), setting)
        times = int(most) if re.fullmatch(r"[0-9]{1,9}", most) else 0
        if times:
            draft.put("restart.max_failures", times + 1, setting)
            draft.put("restart.window", "365d", setting)
        elif most and setting is not None:
            self.books.lose(setting, f"{most!r} is no number of times")
        given = deploy.take("deploy.restart_policy")
        if given is not None:
            advice = "see `restart`"
            self.books.lose(given, "docker compose uses `restart`, swarm uses this", advice)

    def _dependencies(self, draft: Draft) -> None:
        setting = self.section.take("depends_on")
        if setting is None:
            return
        if isinstance(setting.value, list):
            for name in setting.value:
                draft.need(Need(str(name), setting))
            return
        for name in mapping(setting.value):
            inner = self.inner(
                f"depends_on.{name}", mapping(setting.value.get(name)), "depends_on", str(name)
            )
            title = f"depends_on.{name}"
            condition = inner.take(f"{title}.condition")
            word = str(condition.value) if condition is not None else "service_started"
            if word not in _CONDITIONS and condition is not None:
                self.books.lose(condition, f"{word!r} is no condition", f"one of {', '.join(_CONDITIONS)}")
            source = condition or Setting(title, name, self.data.place((*self.at, "depends_on", name)))
            draft.need(Need(
                str(name), source, condition=_CONDITIONS.get(word, "started"),
                restart=inner.read(f"{title}.restart", _TRUTH, False),
                required=inner.read(f"{title}.required", _TRUTH, True),
            ))  # fmt: skip
            inner.close({})
