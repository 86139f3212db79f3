#!/usr/bin/env python3
"""Compares a scan with other things that read the same files, in one run.

    benches/scan/run.py --certdeck target/release/certdeck [--hosts N] [--kex default|curve25519]
                        [--rounds N] [--ansible PROGRAM]

Starts N sshd on loopback (as many ports of a few sshd), makes four lineages with openssl, and
prints, as ratios:

- the client's CPU of a cold `certdeck scan --format json` to that of
  `xargs -P64 ssh HOST cat FILES`;
- the time of Ansible's `raw` with 50 forks, which runs that `cat` too, to that of the cold scan;
- the time of a scan over warm sessions to that of a cold one, in one process: once with every
  session kept, once with the 16 that the console keeps by default;
- the time of a scan of which a tenth of the hosts is down and a twentieth slow to the deadline of
  a host.

The client's CPU is that of its whole process tree, masters in the background included: the
measured command runs below a child subreaper, which collects every orphan. The hosts run on the
same machine, so times hold what they cost too. Needs sshd, ssh-keygen, openssl and Linux.
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
# `scan-timeout` of the fleet with hosts that are down and slow: the default.
DEADLINE = 20
# Sockets that listen and never answer.
KEPT = []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--kex", choices=["default", "curve25519"], default="default")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--certdeck", required=True, help="the certdeck binary to measure")
    parser.add_argument("--bench", help="the bench binary (default: built with cargo)")
    parser.add_argument("--ansible", help="Ansible's `ansible`, to compare with it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scan-") as name:
        folder = pathlib.Path(name)
        hosts, slow, servers = start_hosts(folder, args.hosts, args.kex)
        try:
            compare(folder, hosts, slow, args)
        finally:
            for server in servers:
                server.kill()
                server.wait()


def compare(folder, hosts, slow, args):
    files = make_lineages(folder)
    config = folder / "ssh_config"
    names = folder / "hosts"
    names.write_text("".join(f"{host}\n" for host in hosts))
    plain = ["sh", "-c", f"xargs -P64 -I PORT ssh -F {config} -p PORT 127.0.0.1 cat {' '.join(files)} < {names}"]
    home = {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "CERTDECK_STATE_DIR": str(folder / "state"),
        "CERTDECK_SSH_CONFIG": str(config),
    }
    inventory = write_inventory(folder / "inventory.toml", folder, hosts)
    scan = [os.path.abspath(args.certdeck), "scan", "--format", "json", "--inventory"]
    rounds = []
    for _ in range(args.rounds):
        # What a scan remembers saves the next one some questions.
        shutil.rmtree(folder / "state", ignore_errors=True)
        rounds.append((measure(plain, {}), measure([*scan, inventory], home)))
    plain_cpu, plain_wall = (min(it[0][at] for it in rounds) for at in (0, 1))
    cold_cpu, cold_wall = (min(it[1][at] for it in rounds) for at in (0, 1))
    print(f"{len(hosts)} hosts, {args.kex} key exchange, best of {len(rounds)}")
    print(f"xargs ssh cat   {plain_cpu:6.2f} s CPU {plain_wall:6.2f} s")
    print(f"cold scan       {cold_cpu:6.2f} s CPU {cold_wall:6.2f} s")
    if args.ansible:
        cpu, wall = measure(ansible(folder, hosts, files, args.ansible), ansible_home(folder))
        print(f"ansible raw     {cpu:6.2f} s CPU {wall:6.2f} s")
        print(f"faster than ansible: {wall / cold_wall:.1f} x")
    print(f"CPU of the scan: {cold_cpu / plain_cpu:.2f} x", flush=True)
    bench = args.bench or build_bench()
    for warm in {len(hosts): "all", min(16, len(hosts)): "by default"}.items():
        again(bench, inventory, config, *warm)
    failing = write_failing(folder, hosts, slow)
    _, wall = measure([*scan, failing], home)
    print(f"with hosts down and slow: {wall:.2f} s, {wall / DEADLINE:.2f} x the deadline")


def again(bench, inventory, config, warm, words):
    """How much faster warm sessions make it."""
    command = [bench, str(inventory), str(config), "5", str(warm)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times = [float(line.split()[2]) for line in told.splitlines()]
    print(f"{warm} warm sessions ({words}): cold {times[0]:.2f} s, warm {min(times[1:]):.3f} s")
    print(f"warm: {times[0] / min(times[1:]):.1f} x as fast", flush=True)


def ansible(folder, hosts, files, program):
    inventory = folder / "ansible.ini"
    inventory.write_text(
        "".join(f"host-{it} ansible_host=127.0.0.1 ansible_port={it}\n" for it in hosts)
    )
    return [program, "all", "-i", str(inventory), "-f", "50", "-m", "raw", "-a", f"cat {' '.join(files)}"]


def ansible_home(folder):
    return {
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "ansible"),
        "ANSIBLE_SSH_ARGS": f"-F {folder}/ssh_config -o ControlMaster=auto -o ControlPersist=60s",
        # Its masters end with the measurement, and are counted.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
    }


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
    ports = free_ports(count + PORTS_PER_SSHD)
    servers, known, config = [], [], []
    starts = [*range(0, count, PORTS_PER_SSHD), count]
    for start, end in zip(starts, [*starts[1:], None]):
        some = ports[start:end]
        file = folder / f"sshd-{start}.conf"
        file.write_text(
            "".join(f"Port {port}\n" for port in some)
            + f"ListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            + f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\n"
            + "UsePAM no\nPermitRootLogin yes\nMaxStartups 500\n"
            # bash takes itself for nested and leaves out the rc file of whoever measures.
            + "SetEnv SHLVL=2\n"
            # The last ones log in and never answer.
            + ("ForceCommand exec sleep 60\n" if start == count else "")
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
    ports = [str(port) for port in ports]
    return ports[:count], ports[count:], servers


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


def write_inventory(path, folder, hosts, defaults=""):
    path.write_text(
        defaults
        + "".join(
            f'[[host]]\nname = "host-{at:03}"\naddress = "127.0.0.1"\nport = {host}\n'
            f'[[host.source]]\nkind = "pem"\npaths = ["{folder}/live/*/fullchain.pem"]\n'
            for at, host in enumerate(hosts)
        )
    )
    return path


def write_failing(folder, hosts, slow):
    """Of ten hosts one is down, closed or silent in turn; of twenty, one never ends."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(len(hosts))
    KEPT.append(silent)
    mixed = list(hosts)
    mixed[3::20] = [str(free_ports(1)[0])] * len(mixed[3::20])
    mixed[13::20] = [str(silent.getsockname()[1])] * len(mixed[13::20])
    mixed[8::20] = [slow[at % len(slow)] for at in range(len(mixed[8::20]))]
    path = write_inventory(
        folder / "failing.toml", folder, mixed, f'[defaults]\nscan-timeout = "{DEADLINE}s"\n'
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
