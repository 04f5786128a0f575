#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* ---- Reading ---- */

rille_status rl_source_fail(const rl_source *source, uint64_t at, const char *what, ...)
{
    char text[RL_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    const char *entry = source->entry;
    return rl_fail(source->cx, RILLE_ERROR_IO, "%s: %s: %s%s%s%s (byte %llu)", source->operation, source->path,
                   entry == NULL ? "" : "'", entry == NULL ? "" : entry, entry == NULL ? "" : "': ", text,
                   (unsigned long long)at);
}

int rl_open_file(rille_context *cx, const char *operation, const char *path, uint64_t *size)
{
    if (path == NULL) {
        rl_fail(cx, RILLE_ERROR_NULL, "%s: the path is NULL", operation);
        return -1;
    }
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would wait for one */
    if (file < 0 || fstat(file, &status) != 0) {
        rl_fail(cx, RILLE_ERROR_IO, "%s: %s: %s", operation, path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        rl_fail(cx, RILLE_ERROR_IO, "%s: %s: %s", operation, path,
                S_ISDIR(status.st_mode) ? strerror(EISDIR) : "not an ordinary file, whose size is known");
    } else {
        *size = (uint64_t)status.st_size;
        return file;
    }
    if (file >= 0)
        close(file);
    return -1;
}

int64_t rille_file_size(rille_context *cx, const char *path)
{
    uint64_t size;
    if (cx == NULL)
        return -1;
    int file = rl_open_file(cx, "file_size", path, &size);
    if (file < 0)
        return -1;
    close(file);
    return (int64_t)size;
}

static int64_t read_gzip(void *stream, void *into, size_t n)
{
    int code = Z_OK, got = gzread(stream, into, n < (1u << 30) ? (unsigned)n : 1u << 30);
    if (got == 0)
        gzerror(stream, &code); /* a file that is cut off within its packed bytes ends no other way */
    return code == Z_OK ? got : -1;
}

static const char *why_gzip(void *stream)
{
    int code;
    const char *text = gzerror(stream, &code);
    return code == Z_ERRNO ? strerror(errno) : text;
}

bool rl_source_open(rille_context *cx, const char *operation, const char *path, rl_source *source)
{
    *source = (rl_source){.cx = cx, .operation = operation, .path = path, .read = read_gzip, .why = why_gzip};
    int file = rl_open_file(cx, operation, path, &source->most);
    if (file < 0)
        return false;
    source->stream = gzdopen(file, "rb");
    if (source->stream == NULL) {
        close(file);
        rl_fail(cx, RILLE_ERROR_MEMORY, "%s: %s: no memory to read it", operation, path);
        return false;
    }
    source->exact = gzdirect(source->stream) == 1;
    if (!source->exact && __builtin_mul_overflow(source->most, (uint64_t)RL_MOST_INFLATED, &source->most))
        source->most = UINT64_MAX;
    return true;
}

void rl_source_close(rl_source *source)
{
    gzclose_r(source->stream);
}

bool rl_source_read(rl_source *source, void *into, size_t n)
{
    for (size_t done = 0; done < n;) {
        int64_t got = source->read(source->stream, (char *)into + done, n - done);
        if (got < 0) {
            rl_source_fail(source, source->at, "it cannot be read: %s", source->why(source->stream));
            return false;
        }
        if (got == 0) {
            rl_source_fail(source, source->at, "it ends where %zu more bytes are due", n - done);
            return false;
        }
        done += (size_t)got;
        source->at += (uint64_t)got;
    }
    return true;
}

bool rl_source_at_end(rl_source *source)
{
    char more;
    int64_t got = source->read(source->stream, &more, 1);
    if (got < 0)
        rl_source_fail(source, source->at, "it cannot be read to its end: %s", source->why(source->stream));
    else if (got > 0)
        rl_source_fail(source, source->at, "there is more than its header says");
    return got == 0;
}

rille_tensor *rl_read_file(rille_context *cx, const char *operation, const char *path, rille_tensor *(*parse)(rl_source *))
{
    rl_source source;
    if (cx == NULL || !rl_source_open(cx, operation, path, &source))
        return NULL;
    rille_tensor *t = parse(&source);
    if (t != NULL && !rl_source_at_end(&source)) {
        rille_free(t);
        t = NULL;
    }
    rl_source_close(&source);
    return t; /* cppcheck-suppress returnDanglingLifetime ; a tensor, which holds no source */
}

/* ---- Writing ---- */

/* Names of what is open already (/dev/stdout, /proc/self/fd/3): links whose text may be no path, and whose file is others' too. */
static bool names_descriptor(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/dev/std", 8) == 0;
}

/* Where a chain of symbolic links ends, whether or not a file is there yet. NULL where memory is out, or it has no end. */
static char *follow_links(const char *path)
{
    char *at = strdup(path);
    for (int links = 0; at != NULL; links++) {
        char text[PATH_MAX];
        ssize_t length = names_descriptor(at) ? -1 : readlink(at, text, sizeof text - 1);
        if (length < 0)
            return at;
        text[length] = 0;
        const char *slash = text[0] == '/' ? NULL : strrchr(at, '/');
        size_t folder = slash == NULL ? 0 : (size_t)(slash + 1 - at), size = folder + (size_t)length + 1;
        char *next = links == 40 ? NULL : malloc(size);
        if (links == 40)
            errno = ELOOP;
        if (next != NULL)
            snprintf(next, size, "%.*s%s", (int)folder, at, text);
        free(at);
        at = next;
    }
    return NULL;
}

/* A new file in the target's folder, as readable as the one that it will replace. Its name is short: the target's may be as long
 * as names can be. */
static int create_partial(rl_sink *sink, const struct stat *replaced)
{
    const char *slash = strrchr(sink->target, '/');
    const size_t folder = slash == NULL ? 0 : (size_t)(slash + 1 - sink->target), size = folder + 64;
    sink->partial = malloc(size);
    int file = -1;
    for (unsigned i = 0; sink->partial != NULL && file < 0 && (i == 0 || (errno == EEXIST && i < 1000)); i++) {
        snprintf(sink->partial, size, "%.*s.rille-%ld-%u.part", (int)folder, sink->target, (long)getpid(), i);
        file = open(sink->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (file < 0) {
        const int why = errno;
        free(sink->partial); /* the last name that was tried is another's */
        sink->partial = NULL;
        errno = why;
    } else if (replaced != NULL && fchmod(file, replaced->st_mode & 07777) != 0) {
        errno = 0; /* a file system without modes is no reason to fail */
    }
    return file;
}

bool rl_sink_open(rille_context *cx, const char *operation, const char *path, rl_sink *sink)
{
    *sink = (rl_sink){.cx = cx, .operation = operation, .path = path};
    if (path == NULL) {
        rl_fail(cx, RILLE_ERROR_NULL, "%s: the path is NULL", operation);
        return false;
    }
    struct stat status;
    int file = -1;
    sink->target = follow_links(path);
    if (sink->target != NULL) {
        const bool there = stat(sink->target, &status) == 0, as_it_is = there && names_descriptor(sink->target);
        if (as_it_is || (there && !S_ISREG(status.st_mode)))
            file = open(sink->target, O_WRONLY | O_CLOEXEC | (as_it_is ? O_APPEND : 0));
        else
            file = create_partial(sink, there ? &status : NULL);
    }
    sink->file = file < 0 ? NULL : fdopen(file, "wb");
    if (sink->file != NULL)
        return true;
    rl_fail(cx, RILLE_ERROR_IO, "%s: cannot write '%s': %s", operation, path, strerror(errno));
    if (file >= 0)
        close(file);
    rl_sink_close(sink, false);
    return false;
}

bool rl_sink_write(rl_sink *sink, const void *bytes, size_t n)
{
    if (n == 0 || fwrite(bytes, 1, n, sink->file) == n)
        return true;
    rl_fail(sink->cx, RILLE_ERROR_IO, "%s: cannot write '%s': %s", sink->operation, sink->path, strerror(errno));
    return false;
}

/* The name is safe on the disk only once the folder is. What cannot be synchronised (a pipe, some file systems) need not be. */
static void synchronise_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    int file = folder == NULL ? -1 : open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (file >= 0) {
        fsync(file);
        close(file);
    }
    free(folder);
}

rille_status rl_sink_close(rl_sink *sink, bool good)
{
    int why = 0;
    if (good && (fflush(sink->file) != 0 || (sink->partial != NULL && fsync(fileno(sink->file)) != 0)))
        why = errno;
    if (sink->file != NULL && fclose(sink->file) != 0 && why == 0)
        why = errno;
    if (good && why == 0 && sink->partial != NULL && rename(sink->partial, sink->target) != 0)
        why = errno;
    if (good && why != 0)
        rl_fail(sink->cx, RILLE_ERROR_IO, "%s: cannot write '%s': %s", sink->operation, sink->path, strerror(why));
    good = good && why == 0;
    if (sink->partial != NULL && good)
        synchronise_folder(sink->target);
    else if (sink->partial != NULL)
        unlink(sink->partial);
    free(sink->partial);
    free(sink->target);
    return good ? RILLE_OK : RILLE_ERROR_IO;
}

rille_status rille_write_file(rille_context *cx, const char *path, const void *bytes, size_t n)
{
    rl_sink sink;
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (bytes == NULL && n > 0)
        return rl_fail(cx, RILLE_ERROR_NULL, "write_file: the bytes are NULL");
    if (!rl_sink_open(cx, "write_file", path, &sink))
        return rille_error_status(cx);
    return rl_sink_close(&sink, rl_sink_write(&sink, bytes, n)) == RILLE_OK ? RILLE_OK : rille_error_status(cx);
}
