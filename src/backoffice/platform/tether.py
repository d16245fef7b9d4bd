"""Started by the supervisor in place of a child: ties the child's life to its parent's, then becomes the child.

`python -I -S tether.py PARENT PROGRAM [ARGUMENT …]`. A program of its own and not a function run between fork and
exec, which is unsafe in a process with threads. The tie outlives exec (prctl(2), PR_SET_PDEATHSIG)."""

import os
import sys

PR_SET_PDEATHSIG = 1
SIGKILL = 9


def main(parent: int, argv: list[str]) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # the parent died before the tie was made
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - that is its purpose; no shell
    except OSError as error:
        sys.stderr.write(f"{argv[0]} cannot be run: {error.strerror}\n")
        sys.exit(2)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
