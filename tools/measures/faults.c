/* Faults of the disk, for tests: ends the process at the n-th call that changes a file, or lets the
 * disk be full from there on. Preloaded (LD_PRELOAD); it does nothing until fault_arm is called.
 * Only regular files count, so that pipes and sockets work on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { NONE, KILLED, KILLED_HALFWAY, FULL };

static atomic_long steps;
static long armed_step;
static enum kind armed_kind;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Counts from 1. Step 0 and kind NONE only count. */
void fault_arm(long step, int kind) {
    steps = 0;
    armed_step = step;
    armed_kind = kind;
}

long fault_steps(void) { return steps; }

static int is_file(int fd) {
    struct stat found;
    int kept = errno, result = fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
    errno = kept;
    return result;
}

/* Counts a step; gives the kind of fault that happens at it. */
static enum kind step(void) {
    long now = atomic_fetch_add(&steps, 1) + 1;
    if (armed_kind == FULL) return now >= armed_step ? FULL : NONE;
    return now == armed_step ? armed_kind : NONE;
}

static void end(void) {
    kill(getpid(), SIGKILL);
    pause();
}

#define CHANGE(fault, call)                 \
    do {                                    \
        enum kind fault = step();           \
        if (fault == KILLED) end();         \
        long result = (call);               \
        if (fault == KILLED_HALFWAY) end(); \
        return result;                      \
    } while (0)

/* A write is cut in half before the process ends or the disk is full. */
#define WRITE(fd, size, call_of)                         \
    do {                                                 \
        if (!is_file(fd)) return call_of(size);          \
        enum kind fault = step();                        \
        if (fault == NONE) return call_of(size);         \
        if (fault == KILLED) end();                      \
        if (size > 1) (void)!call_of(size / 2);          \
        if (fault == KILLED_HALFWAY) end();              \
        errno = ENOSPC;                                  \
        return -1;                                       \
    } while (0)

ssize_t write(int fd, const void *data, size_t size) {
#define CALL(n) NEXT(write)(fd, data, n)
    WRITE(fd, size, CALL);
#undef CALL
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
#define CALL(n) NEXT(pwrite)(fd, data, n, at)
    WRITE(fd, size, CALL);
#undef CALL
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
#define CALL(n) NEXT(pwrite64)(fd, data, n, at)
    WRITE(fd, size, CALL);
#undef CALL
}

int fsync(int fd) { CHANGE(fault, NEXT(fsync)(fd)); }
int fdatasync(int fd) { CHANGE(fault, NEXT(fdatasync)(fd)); }
int ftruncate(int fd, off_t size) { CHANGE(fault, NEXT(ftruncate)(fd, size)); }
int ftruncate64(int fd, off64_t size) { CHANGE(fault, NEXT(ftruncate64)(fd, size)); }
int link(const char *from, const char *to) { CHANGE(fault, NEXT(link)(from, to)); }
int rename(const char *from, const char *to) { CHANGE(fault, NEXT(rename)(from, to)); }
int unlink(const char *path) { CHANGE(fault, NEXT(unlink)(path)); }

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    CHANGE(fault, NEXT(linkat)(from_dir, from, to_dir, to, flags));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    CHANGE(fault, NEXT(renameat)(from_dir, from, to_dir, to));
}

int unlinkat(int dir, const char *path, int flags) {
    CHANGE(fault, NEXT(unlinkat)(dir, path, flags));
}
