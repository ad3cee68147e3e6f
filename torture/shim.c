/* Faults and clocks for one process, preloaded with LD_PRELOAD: what a test cannot make the kernel do.
 *
 * `torture_use(control, folder)` maps a file of eight-byte numbers (torture/shim.py writes them, also while the process runs) and says which folder is
 * the journal's. Calls on files of that folder are counted down to a kill, or fail with the error that the control file states; the wall clock is moved,
 * or stands still. Without a control file every call is the C library's own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t kill_at;      /* 1: the next call on the journal's files, and so on; 0: none */
    int64_t kill_half;    /* a write that is killed has written half of its bytes */
    int64_t write_error;  /* errno of writes, truncations and new files; 0: none */
    int64_t sync_error;   /* errno of fsync and fdatasync */
    int64_t lock_error;   /* errno of flock */
    int64_t clock_offset; /* nanoseconds added to the wall clock */
    int64_t clock_frozen; /* the wall clock stands at this nanosecond; 0: it runs */
    int64_t counted;      /* calls on the journal's files so far */
};

static struct control *control;
static char journal[4096];
static __thread int inside;

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int torture_use(const char *path, const char *folder) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return -1;
    void *found = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (found == MAP_FAILED) return -1;
    strncpy(journal, folder, sizeof(journal) - 1);
    control = (struct control *)found;
    return 0;
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("TORTURE_CONTROL"), *folder = getenv("TORTURE_FOLDER");
    if (path && folder) torture_use(path, folder);
}

static int of_journal(const char *path) {
    return control && path && strncmp(path, journal, strlen(journal)) == 0;
}

static int of_journal_fd(int fd) {
    if (!control || inside) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    inside = 1;
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    inside = 0;
    if (length < 0) return 0;
    path[length] = 0;
    return of_journal(path);
}

/* Counts a call; true if the process is to be killed by this call. */
static int is_last(void) {
    __atomic_add_fetch(&control->counted, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&control->kill_at, __ATOMIC_SEQ_CST) <= 0) return 0;
    return __atomic_sub_fetch(&control->kill_at, 1, __ATOMIC_SEQ_CST) == 0;
}

static void end(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

#define STEP(ours) do { if (ours) { if (is_last()) end(); } } while (0)
#define FAIL(ours, error) do { if ((ours) && control->error) { errno = (int)control->error; return -1; } } while (0)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (of_journal_fd(fd)) {
        if (is_last()) { if (control->kill_half) real(fd, data, size / 2); end(); }
        FAIL(1, write_error);
    }
    return real(fd, data, size);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list given; va_start(given, flags); mode_t mode = (flags & O_CREAT) ? va_arg(given, mode_t) : 0; va_end(given); \
        int ours = of_journal(path) && (flags & (O_CREAT | O_WRONLY | O_RDWR)); \
        STEP(ours); if (flags & O_CREAT) FAIL(ours, write_error); \
        return real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

int mkdir(const char *path, mode_t mode) { REAL(mkdir); int ours = of_journal(path); STEP(ours); FAIL(ours, write_error); return real(path, mode); }
int rename(const char *from, const char *to) { REAL(rename); STEP(of_journal(from)); return real(from, to); }
int unlink(const char *path) { REAL(unlink); STEP(of_journal(path)); return real(path); }
int rmdir(const char *path) { REAL(rmdir); STEP(of_journal(path)); return real(path); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); STEP(of_journal_fd(fd)); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); STEP(of_journal_fd(fd)); return real(fd, size); }
int fsync(int fd) { REAL(fsync); int ours = of_journal_fd(fd); STEP(ours); FAIL(ours, sync_error); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); int ours = of_journal_fd(fd); STEP(ours); FAIL(ours, sync_error); return real(fd); }

int flock(int fd, int operation) {
    static int (*real)(int, int);
    if (!real) real = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    int ours = of_journal_fd(fd);
    STEP(ours);
    FAIL(ours, lock_error);
    return real(fd, operation);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    REAL(clock_gettime);
    int failed = real(clock, at);
    if (failed || !control || clock != CLOCK_REALTIME || !(control->clock_offset || control->clock_frozen)) return failed;
    int64_t now = control->clock_frozen ? control->clock_frozen : at->tv_sec * 1000000000LL + at->tv_nsec + control->clock_offset;
    at->tv_sec = now / 1000000000LL;
    at->tv_nsec = now % 1000000000LL;
    return 0;
}
