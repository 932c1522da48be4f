/*
 * An allocator that fails when it is told to, and counts. The test tells it through a file that both have mapped:
 *
 *     pid      whose allocations count; a master and its workers share the file
 *     from     the call, counted from 1, that is the first to fail
 *     count    how many fail from there on
 *     size     the least an allocation asks for that counts; smaller ones never fail
 *     calls    how many have counted so far
 *     failed   how many of them have failed
 *     live     allocations of all sizes less what was freed
 *
 * Each is a native 64-bit number. The file is the one that FAILING_MALLOC names. Made to be preloaded; linked into a
 * program with the address sanitizer, -D'REAL(name)=__interceptor_##name' makes it stand in front of the sanitizer's.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef REAL
#define REAL(name) __libc_##name
#endif

extern void *REAL(malloc)(size_t size);
extern void *REAL(calloc)(size_t number, size_t size);
extern void *REAL(realloc)(void *block, size_t size);
extern void *REAL(memalign)(size_t alignment, size_t size);
extern void REAL(free)(void *block);

struct orders {
    int64_t pid, from, count, size, calls, failed, live;
};

static struct orders *orders;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAILING_MALLOC");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *map = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) {
        orders = map;
    }
}

/* The test reads while the process runs; the process has one thread. */
#define NOW(member) (*(volatile int64_t *) &orders->member)

static int counts(void) {
    return orders && NOW(pid) == getpid();
}

static int fails(size_t size) {
    if (!counts() || (int64_t) size < NOW(size)) {
        return 0;
    }
    int64_t call = ++NOW(calls);
    if (NOW(from) == 0 || call < NOW(from) || call - NOW(from) >= NOW(count)) {
        return 0;
    }
    NOW(failed)++;
    errno = ENOMEM;
    return 1;
}

static void *counted(void *block) {
    if (block && counts()) {
        NOW(live)++;
    }
    return block;
}

void *malloc(size_t size) {
    return fails(size) ? NULL : counted(REAL(malloc)(size));
}

void *calloc(size_t number, size_t size) {
    return fails(number * size) ? NULL : counted(REAL(calloc)(number, size));
}

void *realloc(void *block, size_t size) {
    if (fails(size)) {
        return NULL;
    }
    void *moved = REAL(realloc)(block, size);
    if (counts()) {
        NOW(live) += (moved != NULL) - (block != NULL && (moved != NULL || size == 0));
    }
    return moved;
}

void *memalign(size_t alignment, size_t size) {
    return fails(size) ? NULL : counted(REAL(memalign)(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *made = memalign(alignment, size);
    if (!made) {
        return ENOMEM;
    }
    *block = made;
    return 0;
}

void free(void *block) {
    if (block && counts()) {
        NOW(live)--;
    }
    REAL(free)(block);
}
