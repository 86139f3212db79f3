#!/usr/bin/env python3
"""Another opinion about an audit log: the Python standard library and the description in README.md.

    verify_audit.py FOLDER            one audit folder: says how it is, and exits with its code
    verify_audit.py --batch < LIST    one folder per line: one line of JSON for each, exits with 0

Codes: 0 good, 2 torn tail, 3 tampered, 4 truncated, 5 unknown version, 6 good with open intents.
"""

import hashlib
import json
import os
import re
import sys

GOOD, TORN, TAMPERED, TRUNCATED, UNKNOWN_VERSION, OPEN_INTENTS = 0, 2, 3, 4, 5, 6
LONGEST = 16 * 1024
SLOT = 128
NOTHING = "0" * 64
ENVELOPE = {"v", "seq", "prev", "t", "op", "kind", "h"}
LINE = re.compile(
    rb'\{"v":1,"seq":(?P<seq>[1-9][0-9]*),"prev":"(?P<prev>[0-9a-f]{64})"'
    rb',"t":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"'
    rb',"op":"(?P<op>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'
    rb',"kind":"(?P<kind>[a-z-]+)".*,"h":"(?P<h>[0-9a-f]{64})"\}',
    re.DOTALL,
)
OTHER_VERSION = re.compile(rb'\{"v":(?!1,)[0-9]+,')
SEGMENT = re.compile(r"(?!000000)(\d{6}|[1-9]\d{6,})\.jsonl")


class Fault(Exception):
    def __init__(self, code, name, line, what):
        super().__init__(what)
        self.code, self.name, self.line, self.what = code, name, line, what


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read_line(line):
    """The members of a record, or a text that says why it is none."""
    if len(line) + 1 > LONGEST:
        return "too long"
    match = LINE.fullmatch(line)
    if not match or int(match["seq"]) >= 2**64:
        return "not a record"
    members = line[: match.start("h") - len(',"h":"')]
    if sha256(b"certdeck-audit-v1\n" + members) != match["h"].decode():
        return "the hash does not fit"
    try:
        pairs = json.loads(line.decode(), object_pairs_hook=list, parse_constant=int)
    except ValueError:
        return "not JSON"
    if sum(name in ENVELOPE for name, _ in pairs) != len(ENVELOPE):
        return "a member is there twice"
    return {name: value for name, value in pairs}


class Log:
    def __init__(self, folder):
        self.folder = folder
        self.seq, self.hash = 0, NOTHING
        self.has_genesis = False
        self.undeclared = []
        self.hashes = {}
        self.open = set()

    def segment(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            data = file.read()
        *lines, rest = data.split(b"\n")
        kept = len(data) - len(rest)
        for at, line in enumerate(lines, 1):
            if OTHER_VERSION.match(line):
                raise Fault(UNKNOWN_VERSION, name, at, "written by a newer certdeck")
            members = read_line(line)
            if isinstance(members, str):
                raise Fault(TAMPERED, name, at, members)
            wrong = self.record(members)
            if wrong:
                raise Fault(TAMPERED, name, at, wrong)
        self.undeclared.append(
            {
                "after": name,
                "after-seq": self.seq,
                "after-hash": self.hash,
                "kept-bytes": kept,
                "torn-bytes": len(rest),
                "torn-hash": sha256(rest),
            }
        )

    def record(self, members):
        if members["seq"] != self.seq + 1:
            return "not the next number"
        if members["prev"] != self.hash:
            return "not the record after the one before"
        kind = members["kind"]
        if kind == "segment":
            if not self.undeclared:
                return "declares a segment that is not there"
            closed = self.undeclared.pop(0)
            for key, value in closed.items():
                if type(members.get(key)) is not type(value) or members[key] != value:
                    return "does not tell how the segment before ended"
        elif self.undeclared:
            return "nothing tells how the segment before ended"
        elif self.has_genesis == (kind == "genesis"):
            return "a log begins once, with its first record"
        else:
            self.has_genesis = True
        if kind == "intent":
            self.open.add(members["op"])
        elif kind in ("outcome", "reconcile"):
            self.open.discard(members["op"])
        self.seq, self.hash = members["seq"], members["h"]
        self.hashes[self.seq] = self.hash
        return None


def head(folder):
    """The slots of the head that are whole."""
    try:
        with open(os.path.join(folder, "head"), "rb") as file:
            data = file.read(2 * SLOT)
    except OSError:
        return []
    slots = []
    for at in range(2):
        slot = data[at * SLOT : (at + 1) * SLOT]
        match = re.fullmatch(rb"((0|[1-9][0-9]*) ([0-9a-f]{64})) ([0-9a-f]{16})[ \n]*", slot)
        if len(slot) < SLOT or not match or int(match[2]) % 2 != at:
            continue
        if sha256(match[1])[:16] == match[4].decode() and int(match[2]) < 2**64:
            slots.append((int(match[2]), match[3].decode()))
    return slots


def changed_blob(folder):
    blobs = os.path.join(folder, "blobs")
    for parent, _, names in sorted(os.walk(blobs)):
        for name in sorted(names):
            if not re.fullmatch(r"[0-9a-f]{64}", name) or os.path.dirname(parent) != blobs:
                continue
            with open(os.path.join(parent, name), "rb") as file:
                if sha256(file.read()) != name:
                    return name
    return None


def check(log):
    names = sorted((it for it in os.listdir(log.folder) if SEGMENT.fullmatch(it)), key=lambda it: (len(it), it))
    slots = head(log.folder)
    for number, name in enumerate(names, 1):
        expected = f"{number:06}.jsonl"
        if name != expected:
            raise Fault(TAMPERED, expected, 0, "the file is missing")
        log.segment(name)
    for seq, known in slots:
        if log.hashes.get(seq, known) != known:
            raise Fault(TAMPERED, "head", 1, f"it knows another record {seq}")
    if any(seq > log.seq for seq, _ in slots):
        raise Fault(TRUNCATED, names[-1] if names else "", None, "shorter than it was")
    blob = changed_blob(log.folder)
    if blob:
        raise Fault(TAMPERED, blob, 0, "not what its name says")
    if any(it["torn-bytes"] for it in log.undeclared):
        return TORN
    return OPEN_INTENTS if log.open else GOOD


def verify(folder):
    log = Log(folder)
    result = {"file": None, "line": None, "what": None}
    try:
        result["code"] = check(log) if os.path.isdir(folder) else GOOD
    except Fault as fault:
        result |= {"code": fault.code, "file": fault.name, "line": fault.line, "what": fault.what}
    return result | {"records": log.seq, "open": len(log.open)}


def main():
    if sys.argv[1:] == ["--batch"]:
        for line in sys.stdin:
            print(json.dumps(verify(line.rstrip("\n"))))
        return 0
    result = verify(sys.argv[1])
    print(json.dumps(result))
    return result["code"]


if __name__ == "__main__":
    sys.exit(main())
