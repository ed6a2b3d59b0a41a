/* Loaded before the C library into a program under test: what is around the program fails as the environment asks.
   BOMP_NO_LOCKS: no file can be locked. BOMP_CLOCK_JUMPS: the wall clock jumps by three days, forwards and back, between two looks.
   BOMP_FULL=FILE: while FILE exists, no regular file can be written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int without_locks(void) { return getenv("BOMP_NO_LOCKS") != NULL; }

static int full(int fd)
{
    const char *flag = getenv("BOMP_FULL");
    struct stat file;
    return flag && access(flag, F_OK) == 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
}

static time_t jump(void)
{
    static unsigned looks;
    return getenv("BOMP_CLOCK_JUMPS") ? (time_t)((int)(looks++ % 3) - 1) * 3 * 86400 : 0;
}

int flock(int fd, int operation)
{
    if (without_locks()) { errno = ENOLCK; return -1; }
    return REAL(flock)(fd, operation);
}

static int locks(int command)
{
    return command == F_SETLK || command == F_SETLKW || command == F_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

#define CONTROL(name) \
    int name(int fd, int command, ...) \
    { \
        va_list rest; \
        va_start(rest, command); \
        void *value = va_arg(rest, void *); \
        va_end(rest); \
        if (locks(command) && without_locks()) { errno = ENOLCK; return -1; } \
        return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, #name))(fd, command, value); \
    }
CONTROL(fcntl)
CONTROL(fcntl64)

#define WRITE(name, parameters, arguments) \
    ssize_t name parameters \
    { \
        if (full(fd)) { errno = ENOSPC; return -1; } \
        return REAL(name) arguments; \
    }
WRITE(write, (int fd, const void *from, size_t bytes), (fd, from, bytes))
WRITE(pwrite, (int fd, const void *from, size_t bytes, off_t at), (fd, from, bytes, at))
WRITE(pwrite64, (int fd, const void *from, size_t bytes, off64_t at), (fd, from, bytes, at))
WRITE(writev, (int fd, const struct iovec *from, int parts), (fd, from, parts))
WRITE(pwritev, (int fd, const struct iovec *from, int parts, off_t at), (fd, from, parts, at))
WRITE(pwritev64, (int fd, const struct iovec *from, int parts, off64_t at), (fd, from, parts, at))

int posix_fallocate(int fd, off_t from, off_t bytes) { return full(fd) ? ENOSPC : REAL(posix_fallocate)(fd, from, bytes); }
int posix_fallocate64(int fd, off64_t from, off64_t bytes) { return full(fd) ? ENOSPC : REAL(posix_fallocate64)(fd, from, bytes); }

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = REAL(clock_gettime)(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += jump();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int result = REAL(gettimeofday)(now, zone);
    if (result == 0) now->tv_sec += jump();
    return result;
}

time_t time(time_t *at)
{
    time_t now = REAL(time)(NULL) + jump();
    if (at) *at = now;
    return now;
}
