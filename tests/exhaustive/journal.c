#include "exhaustive/journal.h"

#include "accuracy/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a */
static uint64_t hash_of_file(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(2);
    }
    for (int c = getc(file); c != EOF; c = getc(file))
        hash = (hash ^ (uint64_t)c) * 0x100000001b3u;
    fclose(file);
    return hash;
}

static void keep(journal *j, const char *line)
{
    if (j->count == j->room) {
        j->room = 2 * j->room + 256;
        char **more = take(j->room, sizeof *more);
        if (j->count > 0)
            memcpy(more, j->lines, j->count * sizeof *more);
        free(j->lines);
        j->lines = more;
    }
    const size_t size = strlen(line) + 1;
    char *copy = take(size, 1);
    snprintf(copy, size, "%s", line);
    j->lines[j->count++] = copy;
}

/* A line that was cut short, or is of another program, is passed over. */
static void keep_line(journal *j, char *line)
{
    char own[24], *end = strstr(line, " .\n");
    snprintf(own, sizeof own, "%016" PRIx64 " ", j->program);
    if (end == NULL || strncmp(line, own, strlen(own)) != 0)
        return;
    *end = '\0';
    keep(j, line + strlen(own));
}

void journal_open(journal *j, const char *path, const char *program)
{
    char line[256];
    *j = (journal){.path = path, .program = hash_of_file(program)};
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        keep_line(j, line);
    fclose(file);
}

void journal_close(journal *j)
{
    for (size_t i = 0; i < j->count; i++)
        free(j->lines[i]);
    free(j->lines);
}

const char *journal_find(const journal *j, const char *what)
{
    const size_t length = strlen(what);
    for (size_t i = j->count; i-- > 0;)
        if (strncmp(j->lines[i], what, length) == 0 && strncmp(j->lines[i] + length, ": ", 2) == 0)
            return j->lines[i] + length + 2;
    return NULL;
}

bool journal_add(journal *j, const char *what, const char *result)
{
    char line[256];
    snprintf(line, sizeof line, "%s: %s", what, result);
    keep(j, line);
    FILE *file = fopen(j->path, "a");
    if (file == NULL)
        return false;
    fprintf(file, "%016" PRIx64 " %s .\n", j->program, line);
    return fclose(file) == 0;
}
