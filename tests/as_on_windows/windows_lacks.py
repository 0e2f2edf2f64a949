"""What of Python's library Windows does not have: modules, and names of modules."""

MODULES = {"fcntl", "grp", "posix", "pwd", "pty", "readline", "resource", "syslog", "termios", "tty"}
NAMES = {
    "os": "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK chroot fchmod fork forkpty getgid getloadavg geteuid getuid"
    " killpg mkfifo nice pread sched_getaffinity sched_setaffinity setsid statvfs sync sysconf uname",
    "select": "epoll poll select",  # there is a select, of sockets alone
    "signal": "SIGALRM SIGHUP SIGKILL SIGSTOP SIGUSR1 alarm pthread_sigmask setitimer",
    "socket": "AF_UNIX socketpair",  # there is a socketpair, which no process can inherit
}
