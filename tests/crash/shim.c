/* Stands between a process and its file system, and lets one call go wrong.

   Preloaded. Until `fault_arm` is called nothing happens; from then on calls
   that change what lies below a folder are counted, and from the N-th on, or at
   the N-th alone, they fail, stop half way, or the process is killed.        */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL_BEFORE, KILL_AFTER, KILL_HALF, FAIL_ONCE, FAIL_ON, SHORT };

static char root[4096];
static int mode, error, trace = -1;
static long target;
static atomic_long count;
static atomic_int armed;

void fault_arm(const char *folder, int how, long number, int code, int log) {
  strncpy(root, folder, sizeof root - 1);
  mode = how;
  target = number;
  error = code;
  trace = log;
  atomic_store(&count, 0);
  atomic_store(&armed, 1);
}

void fault_disarm(void) { atomic_store(&armed, 0); }

long fault_count(void) { return atomic_load(&count); }

static int below(const char *path) {
  return strncmp(path, root, strlen(root)) == 0;
}

static int fd_path(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static int at_below(int folder, const char *path) {
  char parent[4096];
  if (path[0] == '/') return below(path);
  if (folder == AT_FDCWD)
    return getcwd(parent, sizeof parent) && below(parent);
  return fd_path(folder, parent, sizeof parent) && below(parent);
}

static int fd_below(int fd) {
  char path[4096];
  return fd_path(fd, path, sizeof path) && below(path);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* What is to happen at this call: 0 nothing, else a mode. `makes`: whether the
   call needs space, or rights; a full disk still lets files be removed.      */
static int hit(const char *what, const char *name, int makes) {
  long now = atomic_fetch_add(&count, 1) + 1;
  if (trace >= 0) dprintf(trace, "%ld %s %s\n", now, what, name);
  if (mode == FAIL_ON) return makes && now >= target ? mode : 0;
  if (now != target) return 0;
  if (mode == KILL_BEFORE) die();
  return mode;
}

#define REAL(name) __typeof__(&name) real = dlsym(RTLD_NEXT, #name)
#define AROUND(type, test, what, path, makes, call)        \
  if (!atomic_load(&armed) || !(test)) return call;        \
  int how = hit(what, path, makes);                        \
  if (how == FAIL_ONCE || how == FAIL_ON) {                \
    errno = error;                                         \
    return -1;                                             \
  }                                                        \
  type result = call;                                      \
  if (how == KILL_AFTER || how == KILL_HALF) die();        \
  return result

static int writes(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
}

#define OPEN(name)                                                      \
  int name(const char *path, int flags, ...) {                          \
    va_list list;                                                       \
    va_start(list, flags);                                              \
    mode_t bits = va_arg(list, mode_t);                                 \
    va_end(list);                                                       \
    REAL(name);                                                         \
    AROUND(int, writes(flags) && at_below(AT_FDCWD, path), "open", path, 1, \
           real(path, flags, bits));                                    \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                    \
  int name(int folder, const char *path, int flags, ...) {              \
    va_list list;                                                       \
    va_start(list, flags);                                              \
    mode_t bits = va_arg(list, mode_t);                                 \
    va_end(list);                                                       \
    REAL(name);                                                         \
    AROUND(int, writes(flags) && at_below(folder, path), "open", path, 1, \
           real(folder, path, flags, bits));                            \
  }
OPENAT(openat)
OPENAT(openat64)

/* A write that is cut short has written something, which is no error. */
#define WRITE(name, parameters, shorter, whole)                         \
  ssize_t name parameters {                                             \
    REAL(name);                                                         \
    if (!atomic_load(&armed) || !fd_below(fd)) return whole;            \
    char path[4096] = "";                                               \
    fd_path(fd, path, sizeof path);                                     \
    int how = hit("write", path, 1);                                    \
    if (how == FAIL_ONCE || how == FAIL_ON) {                           \
      errno = error;                                                    \
      return -1;                                                        \
    }                                                                   \
    if ((how == SHORT || how == KILL_HALF) && size > 1) {               \
      ssize_t result = shorter;                                         \
      if (how == KILL_HALF) die();                                      \
      return result;                                                    \
    }                                                                   \
    ssize_t result = whole;                                             \
    if (how == KILL_AFTER || how == KILL_HALF) die();                   \
    return result;                                                      \
  }
WRITE(write, (int fd, const void *from, size_t size), real(fd, from, size / 2),
      real(fd, from, size))
WRITE(pwrite, (int fd, const void *from, size_t size, off_t at),
      real(fd, from, size / 2, at), real(fd, from, size, at))
WRITE(pwrite64, (int fd, const void *from, size_t size, off64_t at),
      real(fd, from, size / 2, at), real(fd, from, size, at))
WRITE(writev, (int fd, const struct iovec *from, int size),
      real(fd, from, size / 2), real(fd, from, size))

int fsync(int fd) {
  REAL(fsync);
  AROUND(int, fd_below(fd), "fsync", "", 1, real(fd));
}

int fdatasync(int fd) {
  REAL(fdatasync);
  AROUND(int, fd_below(fd), "fdatasync", "", 1, real(fd));
}

int rename(const char *from, const char *to) {
  REAL(rename);
  AROUND(int, at_below(AT_FDCWD, to), "rename", to, 1, real(from, to));
}

int renameat(int one, const char *from, int two, const char *to) {
  REAL(renameat);
  AROUND(int, at_below(two, to), "rename", to, 1, real(one, from, two, to));
}

int renameat2(int one, const char *from, int two, const char *to,
              unsigned flags) {
  REAL(renameat2);
  AROUND(int, at_below(two, to), "exchange", to, 1,
         real(one, from, two, to, flags));
}

int mkdir(const char *path, mode_t bits) {
  REAL(mkdir);
  AROUND(int, at_below(AT_FDCWD, path), "mkdir", path, 1, real(path, bits));
}

int mkdirat(int folder, const char *path, mode_t bits) {
  REAL(mkdirat);
  AROUND(int, at_below(folder, path), "mkdir", path, 1,
         real(folder, path, bits));
}

int unlink(const char *path) {
  REAL(unlink);
  AROUND(int, at_below(AT_FDCWD, path), "unlink", path, 0, real(path));
}

int unlinkat(int folder, const char *path, int flags) {
  REAL(unlinkat);
  AROUND(int, at_below(folder, path), "unlink", path, 0,
         real(folder, path, flags));
}

int rmdir(const char *path) {
  REAL(rmdir);
  AROUND(int, at_below(AT_FDCWD, path), "rmdir", path, 0, real(path));
}
