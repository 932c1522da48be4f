/*
 * A send() that takes five bytes at a time of a PROXY header, and none every second time (EAGAIN): what a kernel does
 * whose buffer is full. Made to be preloaded.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 1024 };

static struct {
    char  begun;
    char  full;
} state[MOST];

ssize_t
send(int fd, const void *bytes, size_t len, int flags)
{
    size_t   piece = len < 5 ? len : 5;
    ssize_t  sent;

    if (fd < MOST && len > 6 && memcmp(bytes, "PROXY ", 6) == 0) {
        state[fd].begun = 1;
        state[fd].full = 1;
    }
    if (fd >= MOST || !state[fd].begun) {
        return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
    }
    state[fd].full = !state[fd].full;
    if (state[fd].full) {
        errno = EAGAIN;
        return -1;
    }
    sent = syscall(SYS_sendto, fd, bytes, piece, flags, NULL, 0);
    if (sent > 0 && ((const char *) bytes)[sent - 1] == '\n') {
        state[fd].begun = 0;
    }
    return sent;
}
