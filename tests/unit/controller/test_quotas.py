"""What counts of a user's, where several processes are declared as one."""

from __future__ import annotations

import pwd

import pytest
from msgspec.structs import replace

from pmon3_schema.errors import PmonError
from pmon3_schema.process import ProcessSpec
from pmond.core.model import Intent
from pmond.core.replicas import expand
from pmond.runtime.access.authority import AccessRules, Authority, Quota
from pmond.runtime.access.principal import Principal
from pmond.runtime.intent.quotas import check_quota, check_replicas, size_of

NOBODY = Principal(2, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
ENTRY = ProcessSpec(file="/bin/x", name="x", user="nobody", args=("y" * 1000,), replicas=4)


def test_what_replicas_have_in_common_counts_once_beside_each_of_them() -> None:
    """It is kept with them, as it was written: else a long entry of short replicas would be free."""
    expanded = expand([ENTRY], {}, "cli")
    after = {
        spec.name: Intent(spec, trusted=False, replica=expanded.replicas[spec.name])
        for spec in expanded.specs
    }
    whole = sum(map(size_of, after.values())) + size_of(Intent(replace(ENTRY, name="x")))
    for most, fits in ((whole, True), (whole - 1, False)):
        authority = Authority(0, AccessRules(quota=Quota(bytes=most)))
        if fits:
            check_quota({}, after, NOBODY, authority)
            continue
        with pytest.raises(PmonError, match=f"specs of {whole} bytes, and may have {most}"):
            check_quota({}, after, NOBODY, authority)
    with pytest.raises(PmonError, match="replicas with specs of"):
        check_replicas([ENTRY], {}, NOBODY, Authority(0, AccessRules(quota=Quota(bytes=whole - 200))))
