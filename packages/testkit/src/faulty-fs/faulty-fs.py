"""A file system for tests, over a folder, that fails where it is told to and forgets on command.

usage: faulty-fs.py SOURCE SURVIVED MOUNT CONTROL

Everything goes through to SOURCE. CONTROL is a JSON file that is read anew when it changes:

  {"rules": [{"op": "write", "path": "regex", "error": "EIO", "short": 10, "after": 2, "times": 1}],
   "cut": false}

A rule meets the operations of its name on paths that its regex finds, lets `after` of them pass,
then meddles with `times` of them (all, without it): fails with `error`, or takes only `short` bytes
of a write. Each operation that a rule meddled with is a line on stdout: {"hit": [op, path]}.

`cut` is a power cut: from then on every operation fails, and SURVIVED holds what a disk would have
kept by the letter of POSIX: the bytes of a file as they were at its last fsync or fdatasync, and
the names of a directory as they were at its last fsync. Real disks keep more; none may keep less.
"""

import ctypes
import errno
import json
import os
import re
import shutil
import signal
import sys

from fusepy import FUSE, FuseOSError, Operations

PR_SET_PDEATHSIG = 1


def say(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Rules:
    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.rules = []
        self.cut = False

    def look(self):
        stat = os.stat(self.path)
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp == self.stamp:
            return
        self.stamp = stamp
        with open(self.path, encoding="utf-8") as file:
            control = json.load(file)
        self.rules = control["rules"]
        self.cut = control["cut"]
        for rule in self.rules:
            rule["passed"] = 0
            rule["met"] = 0

    def meddling(self, op, path):
        """The rule that says what to do with this operation; None where it goes through."""
        for rule in self.rules:
            if rule["op"] != op or re.search(rule.get("path", ""), path) is None:
                continue
            if rule["passed"] < rule.get("after", 0):
                rule["passed"] += 1
                continue
            if rule["met"] >= rule.get("times", sys.maxsize):
                continue
            rule["met"] += 1
            say({"hit": [op, path]})
            return rule
        return None


class Disk:
    """What would survive: files and directories by inode, as they were when they were synced."""

    def __init__(self, source, survived):
        self.source = source
        self.survived = survived
        self.bytes = os.path.join(survived, "bytes")
        os.makedirs(self.bytes)
        self.count = 0
        # The system uses inode numbers again once a file is gone, so each gets a name of its own.
        self.names = {}
        self.folders = {}
        for folder, _, files in os.walk(source):
            for name in files:
                self.sync_file(os.path.join(folder, name))
            self.sync_folder(folder)

    def name_of(self, path):
        inode = os.lstat(path).st_ino
        if inode not in self.names:
            self.count += 1
            self.names[inode] = str(self.count)
        return self.names[inode]

    def gone(self, inode):
        self.names.pop(inode, None)

    def sync_file(self, path):
        shutil.copyfile(path, os.path.join(self.bytes, self.name_of(path)))

    def sync_folder(self, path):
        entries = {}
        with os.scandir(path) as found:
            for entry in found:
                entries[entry.name] = (entry.is_dir(), self.name_of(entry.path))
        self.folders[self.name_of(path)] = entries

    def rebuild(self):
        tree = os.path.join(self.survived, "tree")
        self.rebuild_folder(self.name_of(self.source), tree)
        os.rename(tree, os.path.join(self.survived, "after"))

    def rebuild_folder(self, name, path):
        os.mkdir(path)
        for entry, (is_folder, of) in self.folders.get(name, {}).items():
            below = os.path.join(path, entry)
            if is_folder:
                self.rebuild_folder(of, below)
            elif os.path.exists(os.path.join(self.bytes, of)):
                # Two names of one file stay two names of one file.
                os.link(os.path.join(self.bytes, of), below)
            else:
                open(below, "x").close()


class FaultyFs(Operations):
    use_ns = True

    def __init__(self, source, survived, control):
        self.source = source
        self.rules = Rules(control)
        self.disk = Disk(source, survived)
        self.is_cut = False

    def __call__(self, op, path, *args):
        self.rules.look()
        if self.rules.cut and not self.is_cut:
            self.is_cut = True
            self.disk.rebuild()
            say({"cut": True})
        if self.is_cut:
            raise FuseOSError(errno.EIO)
        rule = self.rules.meddling(op, path)
        if rule is not None and "error" in rule:
            raise FuseOSError(getattr(errno, rule["error"]))
        if rule is not None and op == "write":
            data, *rest = args
            args = (data[: rule["short"]], *rest)
        try:
            return getattr(self, op)(self.source + path, *args)
        except AttributeError as error:
            raise FuseOSError(errno.ENOSYS) from error

    def getattr(self, path, fh=None):
        stat = os.lstat(path)
        fields = "mode nlink uid gid size ino blocks".split()
        shown = {f"st_{field}": getattr(stat, f"st_{field}") for field in fields}
        for field in "amc":
            shown[f"st_{field}time"] = getattr(stat, f"st_{field}time_ns")
        return shown

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(path)]

    def statfs(self, path):
        stat = os.statvfs(path)
        fields = "bavail bfree blocks bsize favail ffree files flag frsize namemax".split()
        return {f"f_{field}": getattr(stat, f"f_{field}") for field in fields}

    def create(self, path, mode, fi=None):
        return os.open(path, os.O_RDWR | os.O_CREAT, mode)

    def open(self, path, flags):
        # The kernel says where to append; pwrite(2) on Linux would not listen.
        return os.open(path, flags & ~os.O_APPEND)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(path, length)

    def flush(self, path, fh):
        return 0

    def release(self, path, fh):
        os.close(fh)

    def fsync(self, path, datasync, fh):
        self.disk.sync_file(path)

    def fsyncdir(self, path, datasync, fh):
        self.disk.sync_folder(path)

    def link(self, target, source):
        os.link(self.source + source, target)

    def unlink(self, path):
        stat = os.lstat(path)
        os.unlink(path)
        if stat.st_nlink == 1:
            self.disk.gone(stat.st_ino)

    def rename(self, old, new):
        os.rename(old, self.source + new)

    def mkdir(self, path, mode):
        os.mkdir(path, mode)

    def rmdir(self, path):
        inode = os.lstat(path).st_ino
        os.rmdir(path)
        self.disk.gone(inode)

    def chmod(self, path, mode):
        os.chmod(path, mode)

    def utimens(self, path, times=None):
        os.utime(path, ns=times)


def main():
    source, survived, mount, control = sys.argv[1:]
    # Ends with the test that started it, and unmounts then.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    FUSE(
        FaultyFs(source, survived, control),
        mount,
        foreground=True,
        nothreads=True,
        direct_io=True,
        attr_timeout=0,
        entry_timeout=0,
        hard_remove=True,
    )


main()
