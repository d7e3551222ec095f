/*
 * Preloaded into the server: writes to the file HOLD_FILE hang while there is a file HOLD_GATE. The first that does
 * makes HOLD_GATE.reached.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_held(int fd)
{
    const char *file = getenv("HOLD_FILE"), *gate = getenv("HOLD_GATE");
    char link[64], path[PATH_MAX];
    ssize_t length;

    if (file == NULL || gate == NULL || access(gate, F_OK) != 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return strcmp(path, file) == 0;
}

static void hold(int fd)
{
    char reached[PATH_MAX];
    int mark;

    if (!is_held(fd))
        return;
    snprintf(reached, sizeof reached, "%s.reached", getenv("HOLD_GATE"));
    mark = open(reached, O_CREAT | O_WRONLY, 0600);
    if (mark >= 0)
        close(mark);
    while (is_held(fd))
        usleep(10000);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");

    hold(fd);
    return real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");

    hold(fd);
    return real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");

    hold(fd);
    return real(fd, bytes, count, offset);
}
