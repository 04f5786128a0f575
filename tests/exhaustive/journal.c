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

static void keep(journal *j, const result *r)
{
    if (j->count == j->room) {
        j->room = 2 * j->room + 256;
        result *more = take(j->room, sizeof *more);
        if (j->count > 0)
            memcpy(more, j->results, j->count * sizeof *more);
        free(j->results);
        j->results = more;
    }
    j->results[j->count++] = *r;
}

static int isa_of(const char *name)
{
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        if (rl_isa_name(isa) != NULL && strcmp(rl_isa_name(isa), name) == 0)
            return isa;
    return -1;
}

/* A line that was cut short, or is of another program, is passed over. */
static void keep_line(journal *j, const char *line)
{
    char name[64], dtype[16], isa[16], end = '\0';
    uint64_t program;
    result r;
    int fields = sscanf(line, "%" SCNx64 " %63s %15s %d %15s %la %la %la %" SCNu64 " %c", &program, name, dtype, &r.order, isa,
                        &r.ulp, &r.x, &r.got, &r.samples, &end);
    if (fields != 10 || end != '.' || program != j->program)
        return;
    r.act = rille_activation_find(name);
    r.dtype = strcmp(dtype, "float32") == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64;
    r.isa = isa_of(isa);
    if (r.act != RILLE_ACTIVATION_NONE && r.isa >= 0)
        keep(j, &r);
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
    free(j->results);
}

const result *journal_find(const journal *j, rille_activation act, rille_dtype dtype, int order, int isa, uint64_t samples)
{
    for (size_t i = j->count; i-- > 0;) {
        const result *r = &j->results[i];
        if (r->act == act && r->dtype == dtype && r->order == order && r->isa == isa && r->samples >= samples)
            return r;
    }
    return NULL;
}

bool journal_add(journal *j, const result *r)
{
    keep(j, r);
    FILE *file = fopen(j->path, "a");
    if (file == NULL)
        return false;
    fprintf(file, "%016" PRIx64 " %s %s %d %s %a %a %a %" PRIu64 " .\n", j->program, rille_activation_describe(r->act)->name,
            rille_dtype_name(r->dtype), r->order, rl_isa_name(r->isa), r->ulp, r->x, r->got, r->samples);
    return fclose(file) == 0;
}
