/* A preloaded shim that moves the real-time clock and nothing else.
 *
 * CLOCK_SHIFT       seconds to add, or
 * CLOCK_SHIFT_FILE  a file with that number, read at each look at the clock, so that a process that lives on
 *                   can be moved
 *
 * CLOCK_MONOTONIC, sleeps and timed waits keep their time: what waits two seconds waits two seconds. (libfaketime
 * moves all of them, and Python's timed waits then never end.) The kernel is asked directly, so that none of
 * these functions can call another of them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long shift(void) {
    const char *path = getenv("CLOCK_SHIFT_FILE"), *value = getenv("CLOCK_SHIFT");
    char text[32] = "";
    if (path) {
        long file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            long length = syscall(SYS_read, file, text, sizeof text - 1);
            text[length > 0 ? length : 0] = 0;
            syscall(SYS_close, file);
        }
        value = text;
    }
    return value ? strtoll(value, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *found) {
    int failed = (int)syscall(SYS_clock_gettime, clock, found);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        found->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone) {
    struct timespec exact;
    (void)zone; /* obsolete, and nobody passes one */
    if (clock_gettime(CLOCK_REALTIME, &exact))
        return -1;
    found->tv_sec = exact.tv_sec;
    found->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *also) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME_COARSE, &exact))
        return (time_t)-1;
    if (also)
        *also = exact.tv_sec;
    return exact.tv_sec;
}
