"""What the services of the simulated machine do when all is well.

Each function is one activity. The order of its lines is what a model can learn; the numbers, names
and addresses in them are what parsing must see through.
"""

from __future__ import annotations

from simulation import Activity, Source, Step, World

USERS = ("deploy", "alice", "bob", "carol", "dave", "erin", "backup", "monitor")
STRANGERS = ("admin", "test", "oracle", "guest", "ubuntu", "pi", "git", "ftpuser")
DOMAINS = ("example.org", "example.com", "mail.example.net", "lists.example.org")
PATHS = ("/api/items", "/api/orders", "/login", "/static/app.css", "/search", "/health")
ADDRESS = "10.0.0.5"


def web_request(world: World) -> Activity:
    """A request: the application's steps, then the proxy's access line."""
    r = world.random
    request = r.hexadecimal(12)
    path = f"{r.pick(PATHS)}/{r.between(1, 9999)}"
    app = 880 + r.draw_below(4)
    yield Step(0.0, "webapp", app, f"request {request} started path {path}")
    if r.chance(0.55):
        yield Step(r.seconds(0.001, 0.004), "webapp", app, f"cache hit for request {request}")
    else:
        yield Step(
            r.seconds(0.001, 0.004), "webapp", app, f"cache miss, asking the database for {request}"
        )
        rows = r.between(0, 400)
        yield Step(
            r.seconds(0.004, 0.03),
            "webapp",
            app,
            f"query for request {request} returned {rows} rows in {r.between(1, 90)} ms",
        )
        yield Step(
            r.seconds(0.0005, 0.001), "webapp", app, f"answer to {request} kept in the cache"
        )
    size = r.between(120, 60_000)
    yield Step(
        r.seconds(0.001, 0.005), "webapp", app, f"request {request} finished with {size} bytes"
    )
    method = "POST" if r.chance(0.2) else "GET"
    yield Step(
        0.0005,
        "nginx",
        611,
        f'{r.address()} "{method} {path} HTTP/1.1" 200 {size} 0.{r.between(10, 99)}',
    )


def mail(world: World) -> Activity:
    """A message received, queued, delivered and removed; one in twenty is deferred once."""
    r = world.random
    queue = queue_id(world)
    client = f"{r.pick(('mx1', 'mx2', 'relay'))}.{r.pick(DOMAINS)}[{r.address()}]"
    smtpd, cleanup = world.pid(), world.pid()
    yield Step(0.0, "postfix/smtpd", smtpd, f"connect from {client}")
    yield Step(r.seconds(0.01, 0.05), "postfix/smtpd", smtpd, f"{queue}: client={client}")
    identity = f"{r.hexadecimal(16)}@{r.pick(DOMAINS)}"
    yield Step(
        r.seconds(0.005, 0.02), "postfix/cleanup", cleanup, f"{queue}: message-id=<{identity}>"
    )
    sender = f"{r.pick(USERS)}@{r.pick(DOMAINS)}"
    size = r.between(900, 90_000)
    queued = f"{queue}: from=<{sender}>, size={size}, nrcpt=1 (queue active)"
    yield Step(r.seconds(0.005, 0.02), "postfix/qmgr", 702, queued)
    yield Step(
        r.seconds(0.002, 0.008),
        "postfix/smtpd",
        smtpd,
        f"disconnect from {client} ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
    )
    recipient = f"{r.pick(USERS)}@{r.pick(DOMAINS)}"
    smtp = world.pid()
    if r.chance(0.05):
        yield Step(r.seconds(0.1, 0.3), "postfix/smtp", smtp, deferred(world, queue, recipient))
        yield Step(r.seconds(240, 360), "postfix/qmgr", 702, queued)
    relay = f"mx.{r.pick(DOMAINS)}[{r.address()}]:25"
    delay = f"0.{r.between(10, 99)}"
    yield Step(
        r.seconds(0.05, 0.2),
        "postfix/smtp",
        smtp,
        f"{queue}: to=<{recipient}>, relay={relay}, delay={delay}, dsn=2.0.0, "
        f"status=sent (250 2.0.0 Ok: queued as {r.hexadecimal(10).upper()})",
    )
    yield Step(r.seconds(0.001, 0.004), "postfix/qmgr", 702, f"{queue}: removed")


def queue_id(world: World) -> str:
    """Postfix's name of a message in its queue; never a plain number."""
    return f"{world.random.between(1, 9)}F{world.random.hexadecimal(8).upper()}"


def deferred(world: World, queue: str, recipient: str) -> str:
    """The line of a delivery that has to wait."""
    r = world.random
    return (
        f"{queue}: to=<{recipient}>, relay=none, delay={r.between(30, 31)}, dsn=4.4.1, "
        f"status=deferred (connect to mx.{r.pick(DOMAINS)}[{r.address()}]:25: "
        "Connection timed out)"
    )


def login(world: World) -> Activity:
    """An SSH login, and minutes later its end. Some people mistype their password first."""
    r = world.random
    user, address, port = r.pick(USERS), r.address(), r.between(32_768, 60_999)
    pid, session = world.pid(), world.session()
    uid = 1000 + USERS.index(user)
    yield Step(0.0, "sshd", pid, f"Connection from {address} port {port} on {ADDRESS} port 22")
    if r.chance(0.15):
        yield Step(
            r.seconds(0.2, 0.6),
            "sshd",
            pid,
            f"Failed password for {user} from {address} port {port} ssh2",
        )
    method = "password" if r.chance(0.3) else "publickey"
    yield Step(
        r.seconds(0.05, 0.3),
        "sshd",
        pid,
        f"Accepted {method} for {user} from {address} port {port} ssh2",
    )
    opened = f"pam_unix(sshd:session): session opened for user {user}(uid={uid}) by (uid=0)"
    yield Step(r.seconds(0.005, 0.02), "sshd", pid, opened)
    yield Step(
        r.seconds(0.005, 0.02), "systemd-logind", 540, f"New session {session} of user {user}."
    )
    yield Step(r.seconds(0.005, 0.02), "systemd", 1, f"Started Session {session} of user {user}.")
    disconnected = f"Disconnected from user {user} {address} port {port}"
    yield Step(r.seconds(60, 900), "sshd", pid, disconnected)
    yield from logout(world, pid, user, session)


def logout(world: World, pid: int, user: str, session: int) -> Activity:
    """What ends a session, after the disconnection."""
    r = world.random
    closed = f"pam_unix(sshd:session): session closed for user {user}"
    yield Step(r.seconds(0.002, 0.01), "sshd", pid, closed)
    yield Step(r.seconds(0.002, 0.01), "systemd", 1, f"session-{session}.scope: Succeeded.")
    waiting = f"Session {session} logged out. Waiting for processes to exit."
    yield Step(r.seconds(0.002, 0.01), "systemd-logind", 540, waiting)
    yield Step(r.seconds(0.01, 0.03), "systemd-logind", 540, f"Removed session {session}.")


def scan(world: World) -> Activity:
    """A stranger knocks once: the normal noise of a machine on the Internet."""
    r = world.random
    stranger, address, port = r.pick(STRANGERS), r.address(), r.between(32_768, 60_999)
    pid = world.pid()
    yield Step(0.0, "sshd", pid, f"Connection from {address} port {port} on {ADDRESS} port 22")
    yield Step(
        r.seconds(0.05, 0.2), "sshd", pid, f"Invalid user {stranger} from {address} port {port}"
    )
    closed = f"Connection closed by invalid user {stranger} {address} port {port} [preauth]"
    yield Step(r.seconds(0.3, 0.9), "sshd", pid, closed)


def firewall(world: World) -> Activity:
    """The kernel reports a blocked packet."""
    r = world.random
    yield Step(
        0.0,
        "kernel",
        None,
        f"[UFW BLOCK] IN=eth0 OUT= SRC={r.address()} DST={ADDRESS} LEN={r.between(40, 60)} "
        f"TTL={r.between(40, 250)} ID={r.draw_below(65_536)} PROTO=TCP "
        f"SPT={r.between(1024, 65_535)} DPT={r.between(1, 9999)} WINDOW=1024 SYN URGP=0",
    )


JOBS = (
    ("root", "/usr/lib/sysstat/debian-sa1 1 1"),
    ("www-data", "/usr/bin/php /srv/app/cron.php"),
    ("root", "/usr/local/bin/collect-metrics --quiet"),
)


def cron(world: World) -> Activity:
    """A job: session opened, command, session closed."""
    r = world.random
    user, command = r.pick(JOBS)
    uid = 0 if user == "root" else 33
    pid = world.pid()
    opened = f"pam_unix(cron:session): session opened for user {user}(uid={uid}) by (uid=0)"
    yield Step(0.0, "CRON", pid, opened)
    yield Step(r.seconds(0.002, 0.01), "CRON", world.pid(), f"({user}) CMD ({command})")
    closed = f"pam_unix(cron:session): session closed for user {user}"
    yield Step(r.seconds(0.05, 0.4), "CRON", pid, closed)


def administration(world: World) -> Activity:
    """A command by sudo."""
    r = world.random
    user, pid = r.pick(("deploy", "alice", "carol")), world.pid()
    command = r.pick(("/usr/bin/systemctl status", "/usr/bin/apt update", "/usr/bin/journalctl"))
    asked = f"{user} : TTY=pts/{r.draw_below(4)} ; PWD=/home/{user} ; USER=root ; COMMAND={command}"
    yield Step(0.0, "sudo", pid, asked)
    opened = f"pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid=1000)"
    yield Step(r.seconds(0.002, 0.01), "sudo", pid, opened)
    yield Step(
        r.seconds(0.05, 0.5), "sudo", pid, "pam_unix(sudo:session): session closed for user root"
    )


UNITS = (
    ("logrotate", "Rotate log files"),
    ("apt-daily", "Daily apt download activities"),
    ("man-db", "Daily man-db regeneration"),
    ("fstrim", "Discard unused blocks on filesystems"),
)


def timer(world: World) -> Activity:
    """A systemd unit that a timer starts."""
    r = world.random
    unit, description = r.pick(UNITS)
    yield Step(0.0, "systemd", 1, f"Starting {description}...")
    yield Step(r.seconds(0.2, 1.5), "systemd", 1, f"{unit}.service: Succeeded.")
    yield Step(r.seconds(0.001, 0.004), "systemd", 1, f"Finished {description}.")


def lease(world: World) -> Activity:
    """The DHCP lease is renewed."""
    r = world.random
    yield Step(0.0, "dhclient", 498, f"DHCPREQUEST for {ADDRESS} on eth0 to 10.0.0.1 port 67")
    yield Step(r.seconds(0.005, 0.03), "dhclient", 498, f"DHCPACK of {ADDRESS} from 10.0.0.1")
    renewal = r.between(1500, 2000)
    bound = f"bound to {ADDRESS} -- renewal in {renewal} seconds."
    yield Step(r.seconds(0.005, 0.02), "dhclient", 498, bound)


def clock(world: World) -> Activity:
    """The clock is set right."""
    r = world.random
    yield Step(0.0, "chronyd", 512, f"Selected source {r.address()}")
    wrong = f"System clock wrong by 0.000{r.between(100, 999)} seconds"
    yield Step(r.seconds(0.01, 0.05), "chronyd", 512, wrong)


def backup(world: World) -> Activity:
    """A backup of several volumes, one after another."""
    r = world.random
    pid, volumes = world.pid(), r.between(2, 4)
    yield Step(0.0, "backup", pid, f"run started with {volumes} volumes to copy")
    for _ in range(volumes):
        volume = f"/srv/volume/{r.between(1, 40)}"
        yield Step(r.seconds(0.05, 0.2), "backup", pid, f"created a snapshot of {volume}")
        copied = f"copied {r.between(10, 9000)} files from {volume}"
        yield Step(r.seconds(0.3, 0.8), "backup", pid, copied)
        yield Step(r.seconds(0.05, 0.2), "backup", pid, f"verified {r.between(10, 900)} blocks")
        yield Step(r.seconds(0.02, 0.08), "backup", pid, f"snapshot of {volume} is removed")
    yield Step(0.01, "backup", pid, f"all volumes done in {r.between(2, 60)} seconds")


def disk(world: World) -> Activity:
    """The disk's temperature."""
    r = world.random
    now = r.between(100, 120)
    yield Step(
        0.0,
        "smartd",
        530,
        "Device: /dev/sda [SAT], SMART Usage Attribute: 194 Temperature_Celsius changed from "
        f"{now} to {now + 1}",
    )


SERVICES = (
    Source("web", 3.0, web_request),
    Source("mail", 11.0, mail),
    Source("cron", 30.0, cron),
    Source("ssh", 45.0, login),
    Source("firewall", 28.0, firewall),
    Source("scan", 40.0, scan),
    Source("sudo", 400.0, administration),
    Source("timer", 800.0, timer),
    Source("dhcp", 700.0, lease),
    Source("clock", 600.0, clock),
    Source("disk", 900.0, disk),
    Source("backup", 700.0, backup),
)
