"""The names of capabilities, as in capabilities(7), and their numbers."""

from __future__ import annotations

_NAMES = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
    PERFMON BPF CHECKPOINT_RESTORE
"""
NUMBERS = {f"CAP_{name}": number for number, name in enumerate(_NAMES.split())}
"""In the order of linux/capability.h."""
_UNDOING = """
    SYS_ADMIN SYS_PTRACE SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_BOOT MKNOD DAC_READ_SEARCH MAC_ADMIN MAC_OVERRIDE
    PERFMON BPF CHECKPOINT_RESTORE
"""
UNDOING = frozenset(f"CAP_{name}" for name in _UNDOING.split())
"""By which a program could leave namespaces, or reach the disk and the memory around them."""


def name_of(number: int) -> str:
    """The name of a capability; its number as text where it has none here."""
    return next((name for name, one in NUMBERS.items() if one == number), f"capability {number}")
