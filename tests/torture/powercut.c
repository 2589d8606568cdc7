/*
 * Writes down everything that a program does to the files below one folder, so that a power cut can be simulated
 * afterwards: `rig/power.rs` replays the journal and leaves out what was never synced. See docs/torture.md.
 *
 * Loaded with LD_PRELOAD by the torture only; POWERCUT_ROOT is the folder (a real path), POWERCUT_JOURNAL the file
 * that it writes. Every call is made as it was asked for, and written down after it succeeded, both under one lock:
 * the order of the journal is the order of the disk, and a sync covers exactly what stands before it. Nothing is
 * buffered here, so a SIGKILL cuts off the last entry at most, whose call has not returned yet.
 *
 * It refuses to guess: what the model does not know (memory maps that write, O_SYNC, moves out of the folder) becomes
 * an entry "unmodelled", and the torture fails. Files whose name ends in `-shm` are left out: SQLite makes
 * them anew at every start. A program that makes system calls without the C library is not seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, MKDIR, EXTEND, LINK, UNMODELLED };

struct head {
    uint32_t magic, kind;
    uint64_t offset;
    uint32_t name_bytes, data_bytes;
};

static char root[PATH_MAX];
static size_t root_bytes;
static int journal = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("POWERCUT_ROOT"), *file = getenv("POWERCUT_JOURNAL");
    if (!folder || !file) return;
    root_bytes = strlen(folder);
    if (root_bytes >= sizeof root) abort();
    memcpy(root, folder, root_bytes + 1);
    journal = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) abort();
}

/* The name inside the folder, "" for the folder itself; NULL for what lies elsewhere. */
static const char *inside(const char *path) {
    if (journal < 0 || strncmp(path, root, root_bytes) != 0) return NULL;
    if (path[root_bytes] == 0) return path + root_bytes;
    if (path[root_bytes] != '/') return NULL;
    size_t bytes = strlen(path);
    if (bytes > 4 && strcmp(path + bytes - 4, "-shm") == 0) return NULL;
    if (bytes > 10 && strcmp(path + bytes - 10, " (deleted)") == 0) return NULL;
    return path + root_bytes + 1;
}

/* Asks the kernel, so that no table of descriptors can go stale. */
static const char *of_fd(int fd, char *path) {
    char link[40];
    if (journal < 0) return NULL;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long bytes = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    errno = before;
    if (bytes < 0) return NULL;
    path[bytes] = 0;
    return inside(path);
}

static const char *of_path(int folder, const char *path, char *whole) {
    char start[PATH_MAX];
    if (journal < 0) return NULL;
    if (path[0] == '/') return inside(path);
    if (folder == AT_FDCWD) {
        if (syscall(SYS_getcwd, start, sizeof start) < 0) return NULL;
    } else {
        char link[40];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        long bytes = syscall(SYS_readlinkat, AT_FDCWD, link, start, sizeof start - 1);
        if (bytes < 0) return NULL;
        start[bytes] = 0;
    }
    if (snprintf(whole, PATH_MAX, "%s/%s", start, path) >= PATH_MAX) abort();
    return inside(whole);
}

/* The entry is written by one call. A journal that cannot be written would prove anything: the program ends. */
static void note(uint32_t kind, const char *name, uint64_t offset, const struct iovec *data, int count, size_t bytes) {
    int before = errno;
    struct head head = {0x54554350, kind, offset, (uint32_t)strlen(name), (uint32_t)bytes};
    struct iovec parts[2 + IOV_MAX - 2];
    if (count > IOV_MAX - 2) abort();
    parts[0] = (struct iovec){&head, sizeof head};
    parts[1] = (struct iovec){(void *)name, head.name_bytes};
    size_t left = bytes;
    int used = 2;
    for (int i = 0; i < count && left > 0; i++) {
        size_t part = data[i].iov_len < left ? data[i].iov_len : left;
        parts[used++] = (struct iovec){data[i].iov_base, part};
        left -= part;
    }
    if (syscall(SYS_writev, journal, parts, used) != (long)(sizeof head + head.name_bytes + bytes)) abort();
    errno = before;
}

static void note_plain(uint32_t kind, const char *name, uint64_t offset) { note(kind, name, offset, NULL, 0, 0); }

static void note_unmodelled(const char *what) { note_plain(UNMODELLED, what, 0); }

static int open_any(int folder, const char *path, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    if (journal < 0 || (flags & (O_CREAT | O_TRUNC | O_SYNC | O_DSYNC)) == 0)
        return syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    int was_there = syscall(SYS_faccessat, folder, path, F_OK) == 0;
    int fd = syscall(SYS_openat, folder, path, flags, mode);
    const char *name = fd < 0 ? NULL : of_fd(fd, buffer);
    if (name) {
        if (flags & (O_SYNC | O_DSYNC)) note_unmodelled("open with O_SYNC or O_DSYNC");
        if (!was_there) note_plain(CREATE, name, 0);
        else if (flags & O_TRUNC) note_plain(TRUNCATE, name, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE_OF(flags, mode)                                                                                           \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

int open(const char *path, int flags, ...) { MODE_OF(flags, mode) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags, mode) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_OF(flags, mode) return open_any(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_OF(flags, mode) return open_any(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* `at` < 0: where the descriptor stands, which after the call is the end of what was written, appended or not. */
static ssize_t write_any(int fd, const struct iovec *data, int count, off_t at) {
    char buffer[PATH_MAX];
    const char *name = of_fd(fd, buffer);
    if (name) pthread_mutex_lock(&lock);
    ssize_t written = at < 0 ? syscall(SYS_writev, fd, data, count) : syscall(SYS_pwritev, fd, data, count, at, 0);
    if (name) {
        if (written > 0) {
            off_t start = at < 0 ? syscall(SYS_lseek, fd, 0, SEEK_CUR) - written : at;
            note(WRITE, name, start, data, count, written);
        }
        pthread_mutex_unlock(&lock);
    }
    return written;
}

ssize_t write(int fd, const void *data, size_t bytes) {
    struct iovec one = {(void *)data, bytes};
    return write_any(fd, &one, 1, -1);
}
ssize_t writev(int fd, const struct iovec *data, int count) { return write_any(fd, data, count, -1); }
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at) {
    struct iovec one = {(void *)data, bytes};
    return write_any(fd, &one, 1, at);
}
ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t at) { return pwrite(fd, data, bytes, at); }
ssize_t pwritev(int fd, const struct iovec *data, int count, off_t at) { return write_any(fd, data, count, at); }
ssize_t pwritev64(int fd, const struct iovec *data, int count, off_t at) { return write_any(fd, data, count, at); }

/* Runs `call` under the lock and writes it down when it succeeded. */
#define NOTED(name, call, entry)                                                                                       \
    const char *inner = (name);                                                                                        \
    if (!inner) return (call);                                                                                         \
    pthread_mutex_lock(&lock);                                                                                         \
    int result = (call);                                                                                               \
    if (result == 0) entry;                                                                                            \
    pthread_mutex_unlock(&lock);                                                                                       \
    return result;

int ftruncate(int fd, off_t bytes) {
    char path[PATH_MAX];
    NOTED(of_fd(fd, path), syscall(SYS_ftruncate, fd, bytes), note_plain(TRUNCATE, inner, bytes))
}
int ftruncate64(int fd, off_t bytes) { return ftruncate(fd, bytes); }

int fallocate(int fd, int mode, off_t at, off_t bytes) {
    char path[PATH_MAX];
    NOTED(of_fd(fd, path), syscall(SYS_fallocate, fd, mode, at, bytes),
          mode == 0 ? note_plain(EXTEND, inner, at + bytes) : note_unmodelled("fallocate with a mode"))
}
int fallocate64(int fd, int mode, off_t at, off_t bytes) { return fallocate(fd, mode, at, bytes); }
int posix_fallocate(int fd, off_t at, off_t bytes) { return fallocate(fd, 0, at, bytes) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off_t at, off_t bytes) { return posix_fallocate(fd, at, bytes); }

int fsync(int fd) {
    char path[PATH_MAX];
    NOTED(of_fd(fd, path), syscall(SYS_fsync, fd), note_plain(SYNC, inner, 0))
}
int fdatasync(int fd) {
    char path[PATH_MAX];
    NOTED(of_fd(fd, path), syscall(SYS_fdatasync, fd), note_plain(SYNC, inner, 0))
}

int unlinkat(int at, const char *file, int flags) {
    char path[PATH_MAX];
    NOTED(of_path(at, file, path), syscall(SYS_unlinkat, at, file, flags), note_plain(UNLINK, inner, 0))
}
int unlink(const char *file) { return unlinkat(AT_FDCWD, file, 0); }
int rmdir(const char *folder) { return unlinkat(AT_FDCWD, folder, AT_REMOVEDIR); }

int renameat(int from_at, const char *from, int to_at, const char *to) {
    char from_path[PATH_MAX], to_path[PATH_MAX];
    const char *target = of_path(to_at, to, to_path);
    struct iovec name = {(void *)target, target ? strlen(target) : 0};
    NOTED(of_path(from_at, from, from_path), syscall(SYS_renameat2, from_at, from, to_at, to, 0),
          target ? note(RENAME, inner, 0, &name, 1, name.iov_len) : note_unmodelled("a rename out of the folder"))
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    char from_path[PATH_MAX], to_path[PATH_MAX];
    const char *target = of_path(to_at, to, to_path);
    struct iovec name = {(void *)target, target ? strlen(target) : 0};
    NOTED(of_path(from_at, from, from_path), syscall(SYS_linkat, from_at, from, to_at, to, flags),
          target ? note(LINK, inner, 0, &name, 1, name.iov_len) : note_unmodelled("a link out of the folder"))
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int mkdirat(int at, const char *folder, mode_t mode) {
    char path[PATH_MAX];
    NOTED(of_path(at, folder, path), syscall(SYS_mkdirat, at, folder, mode), note_plain(MKDIR, inner, 0))
}
int mkdir(const char *folder, mode_t mode) { return mkdirat(AT_FDCWD, folder, mode); }

void *mmap(void *where, size_t bytes, int protection, int flags, int fd, off_t at) {
    char path[PATH_MAX];
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && of_fd(fd, path)) {
        pthread_mutex_lock(&lock);
        note_unmodelled("a shared map that can be written");
        pthread_mutex_unlock(&lock);
    }
    return (void *)syscall(SYS_mmap, where, bytes, protection, flags, fd, at);
}
void *mmap64(void *where, size_t bytes, int protection, int flags, int fd, off_t at) {
    return mmap(where, bytes, protection, flags, fd, at);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t bytes, unsigned flags) {
    char path[PATH_MAX];
    if (of_fd(to, path)) {
        /* Callers know how to copy by reading and writing. */
        errno = EXDEV;
        return -1;
    }
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, bytes, flags);
}
