/* Stops a process, or lets one system call fail, at the n-th change of the file system below a folder.
 *
 * Loaded with LD_PRELOAD, so that it sees what every library of the process does; changes count from the call of
 * `faults_arm` on, in this process and in those that it forks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, FAIL };

static char root[PATH_MAX];
static int armed, action, failure, lasting, log_file = -1;
static long stop, changes;

void faults_arm(const char *folder, int what, int error, long at, int from_then_on, int log) {
  snprintf(root, sizeof root, "%s", folder);
  action = what, failure = error, stop = at, lasting = from_then_on, log_file = log;
  changes = 0, armed = 1;
}

static int is_below(int folder, const char *path) {
  char whole[2 * PATH_MAX], name[64];
  if (path && path[0] == '/') {
    snprintf(whole, sizeof whole, "%s", path);
  } else {
    ssize_t length;
    if (folder == AT_FDCWD)
      snprintf(name, sizeof name, "/proc/self/cwd");
    else
      snprintf(name, sizeof name, "/proc/self/fd/%d", folder);
    length = readlink(name, whole, PATH_MAX);
    if (length < 0) return 0;
    whole[length] = 0;
    if (path) snprintf(whole + length, PATH_MAX, "/%s", path);
  }
  return !strncmp(whole, root, strlen(root));
}

/* Whether this change is to fail; errno is set then. A full disk lets nothing grow, but names can go. */
static int fails(const char *call, int folder, const char *path, int grows) {
  int before = errno;
  if (!armed || !is_below(folder, path)) {
    errno = before;
    return 0;
  }
  long now = __sync_add_and_fetch(&changes, 1);
  if (log_file >= 0) {
    char line[PATH_MAX + 64], place[PATH_MAX] = "", name[64];
    if (!path) {
      snprintf(name, sizeof name, "/proc/self/fd/%d", folder);
      if (readlink(name, place, sizeof place - 1) < 0) place[0] = 0;
    }
    int length = snprintf(line, sizeof line, "%ld %s %s\n", now, call, path ? path : place);
    int unarmed = armed;
    armed = 0;
    if (write(log_file, line, length) < 0) _exit(71);
    armed = unarmed;
  }
  errno = before;
  if (action == COUNT || now < stop || (now > stop && !lasting)) return 0;
  if (action == KILL) kill(getpid(), SIGKILL);
  if (failure == ENOSPC && !grows) return 0;
  errno = failure;
  return 1;
}

/* type, name, whether it makes something grow, the folder and path (or the descriptor), declared and passed arguments */
#define CALL(type, name, grows, folder, path, declared, passed) \
  type name declared { \
    static type(*real) declared; \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
    return fails(#name, folder, path, grows) ? -1 : real passed; \
  }

/* The first half of what is written arrives before a kill. */
#define WRITE(name, declared, passed, half) \
  ssize_t name declared { \
    static ssize_t(*real) declared; \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
    if (armed && action == KILL && changes + 1 == stop && is_below(file, NULL)) real half; \
    return fails(#name, file, NULL, 1) ? -1 : real passed; \
  }

WRITE(write, (int file, const void *from, size_t size), (file, from, size), (file, from, size / 2))
WRITE(pwrite, (int file, const void *from, size_t size, off_t at), (file, from, size, at), (file, from, size / 2, at))
WRITE(pwrite64, (int file, const void *from, size_t size, off64_t at), (file, from, size, at),
      (file, from, size / 2, at))
WRITE(writev, (int file, const struct iovec *from, int parts), (file, from, parts), (file, from, parts / 2))
WRITE(sendfile, (int file, int from, off_t *at, size_t size), (file, from, at, size), (file, from, at, size / 2))
WRITE(sendfile64, (int file, int from, off64_t *at, size_t size), (file, from, at, size), (file, from, at, size / 2))
WRITE(copy_file_range, (int from, off64_t *begin, int file, off64_t *at, size_t size, unsigned flags),
      (from, begin, file, at, size, flags), (from, begin, file, at, size / 2, flags))

CALL(int, fsync, 1, file, NULL, (int file), (file))
CALL(int, fdatasync, 1, file, NULL, (int file), (file))
CALL(int, ftruncate, 1, file, NULL, (int file, off_t size), (file, size))
CALL(int, ftruncate64, 1, file, NULL, (int file, off64_t size), (file, size))
CALL(int, truncate, 1, AT_FDCWD, path, (const char *path, off_t size), (path, size))
CALL(int, mkdir, 1, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
CALL(int, mkdirat, 1, folder, path, (int folder, const char *path, mode_t mode), (folder, path, mode))
CALL(int, rename, 1, AT_FDCWD, to, (const char *from, const char *to), (from, to))
CALL(int, renameat, 1, folder, to, (int other, const char *from, int folder, const char *to), (other, from, folder, to))
CALL(int, renameat2, 1, folder, to, (int other, const char *from, int folder, const char *to, unsigned flags),
     (other, from, folder, to, flags))
CALL(int, link, 1, AT_FDCWD, to, (const char *from, const char *to), (from, to))
CALL(int, linkat, 1, folder, to, (int other, const char *from, int folder, const char *to, int flags),
     (other, from, folder, to, flags))
CALL(int, symlink, 1, AT_FDCWD, path, (const char *to, const char *path), (to, path))
CALL(int, symlinkat, 1, folder, path, (const char *to, int folder, const char *path), (to, folder, path))
CALL(int, unlink, 0, AT_FDCWD, path, (const char *path), (path))
CALL(int, unlinkat, 0, folder, path, (int folder, const char *path, int flags), (folder, path, flags))
CALL(int, remove, 0, AT_FDCWD, path, (const char *path), (path))
CALL(int, rmdir, 0, AT_FDCWD, path, (const char *path), (path))

/* An open counts where it may make or empty a file. */
#define OPEN(name, folder, declared, passed) \
  int name declared { \
    static int(*real)(); \
    mode_t mode = 0; \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
      va_list rest; \
      va_start(rest, flags); \
      mode = va_arg(rest, mode_t); \
      va_end(rest); \
    } \
    return (flags & (O_CREAT | O_TRUNC)) && fails(#name, folder, path, 1) ? -1 : real passed; \
  }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPEN(openat64, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

#define FOPEN(name) \
  FILE *name(const char *path, const char *mode) { \
    static FILE *(*real)(const char *, const char *); \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
    return strpbrk(mode, "wa") && fails(#name, AT_FDCWD, path, 1) ? NULL : real(path, mode); \
  }

FOPEN(fopen)
FOPEN(fopen64)
