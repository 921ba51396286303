"""What goes wrong on the simulated machine, rarely. Every line of a fault is labelled.

The first five use only messages that normal traffic uses too: wrong is their order or their number.
The last three write messages that normal traffic never writes.
"""

from __future__ import annotations

from services import ADDRESS, DOMAINS, USERS, deferred, queue_id
from simulation import Activity, Source, Step, World


def password_guessing(world: World) -> Activity:
    """One address tries many passwords, one after another."""
    r = world.random
    address, pid = r.address(), world.pid()
    for _ in range(r.between(6, 12)):
        port = r.between(32_768, 60_999)
        yield Step(
            r.seconds(0.02, 0.1),
            "sshd",
            pid,
            f"Failed password for {r.pick(USERS)} from {address} port {port} ssh2",
        )


def mail_loop(world: World) -> Activity:
    """The queue manager tries one message again and again."""
    r = world.random
    queue, recipient = queue_id(world), f"{r.pick(USERS)}@{r.pick(DOMAINS)}"
    for _ in range(r.between(5, 9)):
        yield Step(
            r.seconds(0.01, 0.05), "postfix/smtp", world.pid(), deferred(world, queue, recipient)
        )


def stuck_request(world: World) -> Activity:
    """The application queries over and over and never finishes the request."""
    r = world.random
    request, app = r.hexadecimal(12), 880 + r.draw_below(4)
    yield Step(0.0, "webapp", app, f"request {request} started path /api/items/{r.between(1, 99)}")
    for _ in range(r.between(5, 9)):
        took = r.between(1, 90)
        yield Step(
            r.seconds(0.002, 0.01),
            "webapp",
            app,
            f"query for request {request} returned 0 rows in {took} ms",
        )


def swapped_logout(world: World) -> Activity:
    """A session is torn down in the wrong order."""
    r = world.random
    user, pid, session = r.pick(USERS), world.pid(), world.session()
    gone = f"Disconnected from user {user} {r.address()} port {r.between(32_768, 60_999)}"
    yield Step(0.0, "systemd-logind", 540, f"Removed session {session}.")
    yield Step(r.seconds(0.002, 0.01), "systemd", 1, f"session-{session}.scope: Succeeded.")
    closed = f"pam_unix(sshd:session): session closed for user {user}"
    yield Step(r.seconds(0.002, 0.01), "sshd", pid, closed)
    yield Step(r.seconds(0.002, 0.01), "sshd", pid, gone)


def unverified_backup(world: World) -> Activity:
    """A backup that skips its verification and removes snapshots that it never copied."""
    r = world.random
    pid = world.pid()
    yield Step(0.0, "backup", pid, "run started with 3 volumes to copy")
    for _ in range(3):
        volume = f"/srv/volume/{r.between(1, 40)}"
        yield Step(r.seconds(0.02, 0.08), "backup", pid, f"snapshot of {volume} is removed")
    yield Step(0.01, "backup", pid, f"all volumes done in {r.between(2, 60)} seconds")


def disk_error(world: World) -> Activity:
    """The disk cannot be read."""
    r = world.random
    for _ in range(r.between(2, 4)):
        sector = r.between(10_000, 900_000)
        failed = f"blk_update_request: I/O error, dev sda, sector {sector} op 0x0:(READ)"
        yield Step(r.seconds(0.02, 0.1), "kernel", None, failed)
    inode = r.between(1000, 90_000)
    broken = f"EXT4-fs error (device sda1): ext4_find_entry: reading directory inode {inode}"
    yield Step(r.seconds(0.01, 0.05), "kernel", None, broken)


def out_of_memory(world: World) -> Activity:
    """The kernel kills the application."""
    r = world.random
    pid = world.pid()
    invoked = f"webapp invoked oom-killer: order=0, oom_score_adj={r.between(0, 9)}"
    yield Step(0.0, "kernel", None, invoked)
    killed = f"Out of memory: Killed process {pid} (webapp) anon-rss:{r.between(100, 900)}"
    yield Step(r.seconds(0.02, 0.1), "kernel", None, killed)
    signal = "webapp.service: Main process exited, code=killed, status=9/KILL"
    yield Step(r.seconds(0.02, 0.1), "systemd", 1, signal)
    restart = f"webapp.service: Scheduled restart job, restart counter is at {r.between(1, 9)}."
    yield Step(r.seconds(0.5, 1.0), "systemd", 1, restart)


def address_conflict(world: World) -> Activity:
    """Another machine answers to this one's address."""
    r = world.random
    yield Step(0.0, "dhclient", 498, f"DHCPNAK from 10.0.0.{r.between(2, 9)}")
    yield Step(r.seconds(0.02, 0.1), "kernel", None, f"IPv4: duplicate address {ADDRESS} detected")


def fault_sources(mean_gap: float) -> tuple[Source, ...]:
    """Every kind of fault, together one in ``mean_gap`` seconds on average."""
    kinds = (
        password_guessing,
        mail_loop,
        stuck_request,
        swapped_logout,
        unverified_backup,
        disk_error,
        out_of_memory,
        address_conflict,
    )
    return tuple(Source(kind.__name__, mean_gap * len(kinds), kind, fault=True) for kind in kinds)
