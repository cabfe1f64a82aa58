"""Shuts a program in: what it may see, write and reach is taken away before it is executed.

Theory of operation: in two steps, around the change of user. `isolate` makes namespaces and arranges what is
mounted in them, as root or, for an ordinary user, in a user namespace where that user is the only one;
`confine` then gives up capabilities and the way to new ones. All or nothing: what cannot be had is an
error that says why, and whoever calls must not execute the program then.

A namespace alone keeps no program in that has neighbours of the same user: through /proc it could look
into their namespaces, or take one of them over. So it gets a Landlock domain too, or is in a user
namespace, whose members the kernel keeps off those outside. Root, who owns devices and the switches of
the kernel, is kept off them, and loses the capabilities that would undo all this.

It is a part of a program that loads nothing else (the launcher of pmond), so it needs built-in modules
only. What is to be done it is told in a plain mapping, `SandboxOrders`.
"""

# Path objects are too slow to import here.
# ruff: noqa: PTH123

from __future__ import annotations

import os

from pmon3_schema.capability_names import NUMBERS, UNDOING, name_of
from pmon3_schema.kernel_calls import (
    NEW_MOUNTS,
    NEW_NETWORK,
    NEW_USER,
    Kernel,
)
from pmon3_schema.sandbox_mounts import SandboxError, arrange, at_once, try_to

TYPE_CHECKING = False  # typing itself is too slow to import here; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable

    from pmon3_schema.answers import SandboxOrders
    from pmon3_schema.bounds import SandboxSpec

    AsUser = Callable[[Callable[[], None]], None]


ENOUGH_LANDLOCK = 2
"""The first version that lets files be moved between folders (Linux 5.19)."""


def orders_of(sandbox: SandboxSpec, uid: int) -> SandboxOrders | None:
    """What a declared sandbox comes to for a program of this user; None where there is none."""
    if not sandbox.wanted:
        return None
    return {
        "uid": uid,
        "no_new_privileges": sandbox.no_new_privileges,
        "capabilities": None if sandbox.capabilities is None else list(sandbox.capabilities),
        "private_tmp": sandbox.private_tmp,
        "read_only": list(sandbox.read_only),
        "hidden": list(sandbox.hidden),
        "writable": list(sandbox.writable),
        "network": sandbox.network == "none",
    }


def is_isolated(orders: SandboxOrders) -> bool:
    """Whether it takes namespaces. Root's capabilities do: else it could have all of them from its pmond."""
    return bool(
        orders["private_tmp"] or orders["read_only"] or orders["hidden"] or orders["network"]
        or (orders["uid"] == 0 and orders["capabilities"] is not None)
    )  # fmt: skip


def isolate(orders: SandboxOrders, with_rights_of: AsUser | None = None) -> None:
    """Make the namespaces, with the rights of pmond. Raises SandboxError.

    `with_rights_of` runs what it is given with those of the user, for paths that he has named.
    """
    kernel = Kernel()
    if orders["network"]:
        _load_what_loopback_takes()  # now, while the library may be read
    if is_isolated(orders):
        _leave_those_of_pmond(kernel, orders)
        arrange(kernel, orders, with_rights_of or at_once)
        if orders["network"]:
            try_to("have a loopback interface", _bring_loopback_up)
        _keep_off_neighbours(kernel)
    if orders["capabilities"] is not None or is_isolated(orders):
        _bound_capabilities(kernel, orders)


def confine(orders: SandboxOrders) -> None:
    """The rest, as the user that the program runs as. Raises SandboxError."""
    kernel, named = Kernel(), orders["capabilities"]
    isolated = is_isolated(orders)
    if orders["uid"] != 0 and (named is not None or isolated):
        _have_only(kernel, named or [], handed_down=True)
    elif orders["uid"] == 0 and (named is not None or isolated):
        _have_only(kernel, _kept(orders, kernel), handed_down=False)
    if orders["no_new_privileges"] or (orders["uid"] != 0 and (isolated or named == [])):
        try_to("renounce new privileges", kernel.allow_no_new_privileges)


def _leave_those_of_pmond(kernel: Kernel, orders: SandboxOrders) -> None:
    uid, gid = os.geteuid(), os.getegid()
    wanted = NEW_MOUNTS | (NEW_NETWORK if orders["network"] else 0)
    if uid == 0:
        try_to("have namespaces (pmond lacks CAP_SYS_ADMIN here)", lambda: kernel.unshare(wanted))
        return
    what = "have a user namespace (see kernel.unprivileged_userns_clone, user.max_user_namespaces, AppArmor)"
    try_to(what, lambda: kernel.unshare(wanted | NEW_USER))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try_to(what, _write, f"/proc/self/{name}", text)


def _keep_off_neighbours(kernel: Kernel) -> None:
    if kernel.landlock_version() >= ENOUGH_LANDLOCK:
        try_to("have a Landlock domain", kernel.keep_off_neighbours)
    elif os.geteuid() == 0:  # else the user namespace does
        raise SandboxError(
            1,
            "this kernel has no Landlock of Linux 5.19, without which a program reaches around its namespaces"
            " through its neighbours in /proc (update the kernel, or add landlock to its option lsm=)",
        )


def _bound_capabilities(kernel: Kernel, orders: SandboxOrders) -> None:
    """Those that it is not to have, it never has."""
    named = orders["capabilities"]
    kept = {NUMBERS[name] for name in _kept(orders, kernel)}
    if named is None and orders["uid"] != 0 and os.geteuid() == 0:
        kept = set()  # nothing is left of them as another user, and no file can give one back
    for number in kept if named else ():
        if not kernel.may_ever_have(number):
            raise SandboxError(1, f"pmond has no {name_of(number)} to give (remove it from capabilities)")
    number = 0
    while (held := kernel.may_ever_have(number)) is not None:
        if held and number not in kept and _may_drop():
            try_to(f"drop {name_of(number)}", kernel.drop_for_good, number)
        number += 1
    if named and orders["uid"] != 0:
        if os.geteuid() != 0:
            raise SandboxError(1, "capabilities are for root to give (use none: `capabilities: []`)")
        try_to("keep capabilities", kernel.keep_capabilities)


def _may_drop() -> bool:
    """Whether the bounding set is ours to change; where it is not, no new privileges come anyway."""
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapEff:"):
                return bool(int(line.split()[1], 16) >> NUMBERS["CAP_SETPCAP"] & 1)
    return False


def _kept(orders: SandboxOrders, kernel: Kernel) -> list[str]:
    """The capabilities that it may have at all."""
    named = orders["capabilities"]
    if named is not None:
        return named
    if not is_isolated(orders) or orders["uid"] != 0:
        return []
    return [name for name, number in NUMBERS.items() if name not in UNDOING and kernel.may_ever_have(number)]


def _have_only(kernel: Kernel, names: list[str], *, handed_down: bool) -> None:
    numbers = [NUMBERS[name] for name in names]
    mask = sum(1 << number for number in numbers)
    try_to("set its capabilities", lambda: kernel.set_capabilities(mask, mask if handed_down else 0))
    for number in numbers if handed_down else ():
        try_to(f"hand {name_of(number)} down", kernel.pass_on, number)


def _load_what_loopback_takes() -> None:
    import _socket  # noqa: F401
    import fcntl  # noqa: F401
    import struct  # noqa: F401


def _bring_loopback_up() -> None:
    import _socket
    import fcntl
    import struct

    made = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        # struct ifreq of netdevice(7), SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
        fcntl.ioctl(made.fileno(), 0x8914, struct.pack("16sH22x", b"lo", 0x1 | 0x40))
    finally:
        made.close()


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
