#!/usr/bin/env python3
"""Compares a scan with the plainest thing that reads the same files, in one run.

    benches/scan/run.py [--hosts N] [--kex default|curve25519] [--rounds N] [--certdeck BINARY]

Starts N sshd on loopback (as many ports of a few sshd), makes four lineages with openssl, and
prints, as ratios:

- the client's CPU of a cold scan to that of `xargs -P64 ssh HOST cat FILES`;
- the time of a scan over warm sessions to that of a cold one.

The client's CPU is that of its whole process tree, masters in the background included: the
measured command runs below a child subreaper, which collects every orphan. Without --certdeck,
the bench binary of this folder visits the hosts; with it, `certdeck scan --format json` does.
Needs sshd, ssh-keygen, openssl and Linux.
"""

import argparse
import ctypes
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

# sshd has at most 16 listening sockets (MAX_LISTEN_SOCKS in sshd.c).
PORTS_PER_SSHD = 16
PR_SET_CHILD_SUBREAPER = 36


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--kex", choices=["default", "curve25519"], default="default")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--certdeck", help="the certdeck binary to measure")
    parser.add_argument("--bench", help="the bench binary (default: built with cargo)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scan-") as name:
        folder = pathlib.Path(name)
        hosts, servers = start_hosts(folder, args.hosts, args.kex)
        try:
            compare(folder, hosts, args)
        finally:
            for server in servers:
                server.kill()
                server.wait()


def compare(folder, hosts, args):
    files = make_lineages(folder)
    config = folder / "ssh_config"
    names = folder / "hosts"
    names.write_text("".join(f"{host}\n" for host in hosts))
    plain = ["sh", "-c", f"xargs -P64 -I PORT ssh -F {config} -p PORT 127.0.0.1 cat {' '.join(files)} < {names}"]
    if args.certdeck:
        inventory = write_inventory(folder, hosts)
        home = {"HOME": str(folder), "CERTDECK_STATE_DIR": str(folder / "state")}
        cold = [args.certdeck, "--inventory", str(inventory), "scan", "--format", "json"]
        (folder / ".ssh").mkdir()
        shutil.copy(config, folder / ".ssh/config")
    else:
        home = {}
    bench = args.bench or build_bench()
    script = folder / "script"
    script.write_text(f"cat {' '.join(files)}\nexit 0\n")
    if not args.certdeck:
        cold = [bench, str(config), "1", str(script), *hosts]
    rounds = []
    for _ in range(args.rounds):
        rounds.append((measure(plain, {}), measure(cold, home)))
    plain_cpu, plain_wall = min(it[0] for it in rounds)
    cold_cpu, cold_wall = min(it[1] for it in rounds)
    print(f"{len(hosts)} hosts, {args.kex} key exchange, best of {len(rounds)}")
    print(f"xargs ssh cat   {plain_cpu:6.2f} s CPU {plain_wall:6.2f} s")
    print(f"cold scan       {cold_cpu:6.2f} s CPU {cold_wall:6.2f} s")
    print(f"CPU of the scan: {cold_cpu / plain_cpu:.2f} x")
    warm = subprocess.run(
        [bench, str(config), "4", str(script), *hosts], check=True, capture_output=True, text=True
    ).stdout
    print(warm, end="")
    times = [float(line.split()[2]) for line in warm.splitlines()]
    print(f"warm: {times[0] / min(times[1:]):.1f} x as fast")


def measure(command, env):
    """CPU and wall seconds of a command and everything that it started."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        begin = time.monotonic()
        done = subprocess.run(command, env={**os.environ, **env}, stdout=subprocess.PIPE)
        wall = time.monotonic() - begin
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(write, f"{done.returncode} {used.ru_utime + used.ru_stime} {wall}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    status, cpu, wall = os.read(read, 100).split()
    os.close(read)
    # A scan says by its status what it found; only the plain command must be without fault.
    if int(status) != 0 and command[0] == "sh":
        sys.exit(f"{command[:3]} ended with {int(status)}")
    return float(cpu), float(wall)


def start_hosts(folder, count, kex):
    for key in ["host", "user"]:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
    public = (folder / "host.pub").read_text()
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    ports = free_ports(count)
    servers, known, config = [], [], []
    for start in range(0, count, PORTS_PER_SSHD):
        some = ports[start : start + PORTS_PER_SSHD]
        file = folder / f"sshd-{start}.conf"
        file.write_text(
            "".join(f"Port {port}\n" for port in some)
            + f"ListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            + f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\n"
            + "UsePAM no\nPermitRootLogin yes\nMaxStartups 500\n"
            # bash takes itself for nested and leaves out the rc file of whoever measures.
            + "SetEnv SHLVL=2\n"
        )
        servers.append(subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", file, "-E", folder / "log"]))
    for port in ports:
        known.append(f"[127.0.0.1]:{port} {public}")
    (folder / "known_hosts").write_text("".join(known))
    config.append(
        f"Host *\n  IdentityFile {folder}/user\n  IdentitiesOnly yes\n  BatchMode yes\n"
        f"  UserKnownHostsFile {folder}/known_hosts\n"
    )
    if kex == "curve25519":
        config.append("  KexAlgorithms curve25519-sha256\n")
    (folder / "ssh_config").write_text("".join(config))
    for port in ports:
        wait_for(port)
    return [str(port) for port in ports], servers


def make_lineages(folder):
    files = []
    for at in range(4):
        live = folder / f"live/site-{at}"
        live.mkdir(parents=True)
        run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "90", "-subj", f"/CN=site-{at}.example.net",
            "-keyout", live / "privkey.pem", "-out", live / "fullchain.pem",
        )  # fmt: skip
        files.append(str(live / "fullchain.pem"))
    return files


def write_inventory(folder, hosts):
    path = folder / "inventory.toml"
    path.write_text(
        "".join(
            f'[[host]]\nname = "host-{host}"\naddress = "127.0.0.1"\nport = {host}\n'
            f'[[host.source]]\nkind = "pem"\nglob = "{folder}/live/*/fullchain.pem"\n'
            for host in hosts
        )
    )
    return path


def build_bench():
    root = pathlib.Path(__file__).parent
    command = ["cargo", "bench", "--bench", "scan", "--no-run", "--message-format", "json"]
    built = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    lines = [it for it in built.stdout.splitlines() if '"name":"scan"' in it and "executable" in it]
    return lines[-1].split('"executable":"')[1].split('"')[0]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for it in sockets:
        it.bind(("127.0.0.1", 0))
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports


def wait_for(port):
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"no sshd at port {port}")
            time.sleep(0.02)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
