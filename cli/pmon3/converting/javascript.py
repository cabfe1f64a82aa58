"""An ecosystem file in JavaScript: run by node where that is, as pm2 does, and its value taken as JSON."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from pmon3.converting.data_files import DataFile
from pmon3.converting.relaxed_json import RelaxedReader
from pmon3.converting.settings import CannotConvert
from pmon3_schema.formats.source import Path as DataPath

_TIME_LIMIT = 30.0  # seconds
_LOADER = """\
const path = require('path'), url = require('url');
const file = path.resolve(process.argv[1]);
(file.endsWith('.mjs') ? import(url.pathToFileURL(file).href) : Promise.resolve().then(() => require(file)))
  .then(async (found) => {
    found = await found;
    found = found && found.apps === undefined && found.default || found;
    found = typeof found === 'function' ? await found() : found;
    process.stdout.write('\\n' + JSON.stringify(found) + '\\n'); })
  .catch((error) => { process.stderr.write(String(error && error.message || error)); process.exit(1); });
"""


def read_javascript(text: str, file: str) -> DataFile:
    """The value that the file exports. Raises CannotConvert."""
    plain = _plain_data(text)
    if plain is not None:
        reader = RelaxedReader(plain)
        try:
            return DataFile(file, reader.read(), reader.lines)
        except CannotConvert:
            pass  # it is more than data: JavaScript has to say what it comes to
    data = _run(file)
    return DataFile(file, data, _lines(text, data))


def _plain_data(text: str) -> str | None:
    """The object that the text exports, its lines kept, where the text is nothing else."""
    found = re.match(
        r"(?:\s|//[^\n]*|/\*.*?\*/|(['\"])use strict\1;?)*(?:module\.exports\s*=|export\s+default)",
        text,
        re.S,
    )
    return "\n" * text.count("\n", 0, found.end()) + text[found.end() :] if found else None


def command_for(file: str) -> str:
    """What a person can run to get JSON of it."""
    if file.endswith(".mjs"):
        code = (
            f"import({json.dumps('./' + Path(file).name)}).then(m => console.log(JSON.stringify(m.default)))"
        )
        return f"node -e {shlex.quote(code)} | pmon3 convert --from pm2 -"
    code = f"JSON.stringify(require({json.dumps('./' + Path(file).name)}))"
    return f"node -p {shlex.quote(code)} | pmon3 convert --from pm2 -"


def _run(file: str) -> Any:
    node = shutil.which("node")
    if node is None:
        raise CannotConvert(f"it is JavaScript, and node is not here; where it is, run: {command_for(file)}")
    try:
        ran = subprocess.run(
            [node, "-e", _LOADER, "--", file], capture_output=True, text=True, check=False,
            timeout=_TIME_LIMIT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CannotConvert(f"node did not come to an end with it within {_TIME_LIMIT:g} s") from None
    lines = ran.stdout.strip().splitlines()
    if ran.returncode or not lines:
        raise CannotConvert(f"node cannot run it: {ran.stderr.strip() or 'it exports nothing'}")
    try:
        return json.loads(lines[-1])  # before it stands what the file itself has printed
    except ValueError:
        raise CannotConvert("it exports nothing that can be written as JSON") from None


def _lines(text: str, data: Any) -> dict[DataPath, int]:
    """Lines in which keys seem to stand: the n-th app has the n-th of the places where its key is written."""
    apps = data.get("apps", data) if isinstance(data, dict) else data
    apps = apps if isinstance(apps, list) else [apps]
    found: dict[DataPath, int] = {}
    seen: dict[str, int] = {}
    places: dict[str, list[int]] = {}
    for index, app in enumerate(apps):
        for key in app if isinstance(app, dict) else ():
            if key not in places:
                pattern = rf"(?<![\w$]){re.escape(key)}[\"']?\s*[:,}}]"
                places[key] = [text.count("\n", 0, one.start()) + 1 for one in re.finditer(pattern, text)]
            number = seen[key] = seen.get(key, -1) + 1
            if places[key]:
                found[("apps", index, key)] = places[key][min(number, len(places[key]) - 1)]
    return found
