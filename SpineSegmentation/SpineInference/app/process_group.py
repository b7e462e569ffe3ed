"""A process that takes its children along when it ends, and ends when nobody listens to it any more.

Slicer's `kill` reaches only the direct child, and a Slicer that crashes kills nothing. So the worker leads a group
of its own, and ends the whole group as soon as its standard input closes: that happens when Slicer cancels, quits,
crashes or is killed. Nothing here needs more than the standard library.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

EXIT_CANCELLED = 130

_kept_for_life = []  # the handle of the Windows job and the socket of the signals: both work only while they exist


def lead_group() -> None:
    """Make this process the head of a group that `end_group` can end as a whole."""
    if sys.platform == "win32":
        _kept_for_life.append(_kill_on_close_job())
    elif os.getpgrp() != os.getpid():
        os.setsid()


def end_group() -> None:
    """End this process and all its children at once. On POSIX it ends by SIGKILL, on Windows with exit code 130."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(EXIT_CANCELLED)  # on Windows this closes the job, which ends the children


def on_signal(end: Callable[[], None]) -> None:
    """Call `end()` in a thread of its own as soon as a signal asks this process to end.

    Python runs signal handlers in the main thread, which may be inside a network for a long time. The wakeup socket
    is written to by the C handler at once.
    """
    wakeup_read, wakeup_write = socket.socketpair()
    wakeup_write.setblocking(False)
    _kept_for_life.extend((wakeup_read, wakeup_write))
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: None)
    signal.set_wakeup_fd(wakeup_write.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        wakeup_read.recv(1)
        end()

    threading.Thread(target=wait, daemon=True, name="signals").start()


def read_lines(descriptor: int, limit: int) -> Iterator[bytes]:
    """The lines that arrive at the file `descriptor` until it is closed; one longer than `limit` bytes is cut.

    The last one counts also where its line end is missing.
    Unbuffered on purpose: a thread that is stuck in a buffered read keeps its lock, and Python cannot exit cleanly.
    """
    pending = b""
    while chunk := _read(descriptor):
        *lines, pending = (pending + chunk).split(b"\n")
        yield from lines
        pending = pending[:limit]
    if pending:
        yield pending


def _read(descriptor: int) -> bytes:
    if sys.platform == "win32":
        _wait_for_input(descriptor)
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""  # no standard input at all is a closed one


# --- Windows. Written from Microsoft's documentation and not yet tried on a Windows machine. ---


def _kill_on_close_job() -> int:
    """A job that holds this process and its future children and ends them when its only handle is closed."""
    import ctypes
    from ctypes import wintypes

    class BasicLimits(ctypes.Structure):  # JOBOBJECT_BASIC_LIMIT_INFORMATION
        _fields_ = [
            ("PerProcessUserTimeLimit", ctypes.c_int64),
            ("PerJobUserTimeLimit", ctypes.c_int64),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        ]

    class ExtendedLimits(ctypes.Structure):  # JOBOBJECT_EXTENDED_LIMIT_INFORMATION
        _fields_ = [
            ("BasicLimitInformation", BasicLimits),
            ("IoInfo", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        ]

    extended_limit_information, kill_on_job_close = 9, 0x2000
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    kernel.CreateJobObjectW.argtypes = [ctypes.c_void_p, wintypes.LPCWSTR]
    kernel.SetInformationJobObject.argtypes = [wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD]
    kernel.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
    kernel.GetCurrentProcess.restype = wintypes.HANDLE

    job = kernel.CreateJobObjectW(None, None)
    limits = ExtendedLimits()
    limits.BasicLimitInformation.LimitFlags = kill_on_job_close
    made = (
        job
        and kernel.SetInformationJobObject(job, extended_limit_information, ctypes.byref(limits), ctypes.sizeof(limits))
        and kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())
    )
    if not made:
        # Without the job the worker still ends itself; only children that it may have would live on.
        print(f"no job object: {ctypes.WinError(ctypes.get_last_error())}", file=sys.stderr)
    return job


def _wait_for_input(descriptor: int) -> None:
    """Return when a read from the pipe `descriptor` will not block.

    While a thread of a Windows process is blocked in a read of standard input, whatever asks for the type of that
    handle blocks too, and the runtimes of numpy's libraries do so when they are loaded. Hence asking, not waiting.
    """
    import ctypes
    import msvcrt
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32")
    kernel.PeekNamedPipe.argtypes = [
        wintypes.HANDLE,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
        ctypes.POINTER(wintypes.DWORD),
        ctypes.c_void_p,
    ]
    available = wintypes.DWORD()
    handle = msvcrt.get_osfhandle(descriptor)
    # It fails for a closed pipe and for what is not a pipe; then the read itself tells what is the matter.
    while kernel.PeekNamedPipe(handle, None, 0, None, ctypes.byref(available), None) and not available.value:
        time.sleep(0.05)
