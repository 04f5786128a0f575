/* NumPy's .npy (numpy/lib/format.py): "\x93NUMPY", the version's two bytes, the length of a header (2 bytes in version 1, 4 in
 * 2 and 3, little-endian), the header, a literal dictionary of Python,
 *     {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }
 * then the elements. Of Python no more is understood than such a dictionary. */
#include "io/npy.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- The header ---- */

typedef struct parser {
    const rl_source *source;
    uint64_t start;   /* of the text, in the file */
    const char *text; /* ends with a zero byte */
    const char *at;
    const rl_stored *type;
    bool big_endian, fortran_order;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    unsigned seen; /* which keys */
} parser;

static bool refuse(const parser *h, const char *what)
{
    rl_source_fail(h->source, h->start + (uint64_t)(h->at - h->text), "%s", what);
    return false;
}

static void skip_space(parser *h)
{
    while (*h->at == ' ' || *h->at == '\n' || *h->at == '\t')
        h->at++;
}

/* Takes the text where it stands next, after any space. */
static bool take(parser *h, const char *text)
{
    skip_space(h);
    size_t n = strlen(text);
    if (strncmp(h->at, text, n) != 0)
        return false;
    h->at += n;
    return true;
}

/* 'text' or "text", without escapes, into a buffer; false where there is none, or it is too long. */
static bool take_string(parser *h, char *text, size_t size)
{
    skip_space(h);
    const char quote = *h->at;
    const char *end = quote == '\'' || quote == '"' ? strchr(h->at + 1, quote) : NULL;
    if (end == NULL || (size_t)(end - h->at) > size || memchr(h->at, '\\', (size_t)(end - h->at)) != NULL)
        return false;
    memcpy(text, h->at + 1, (size_t)(end - h->at - 1));
    text[end - h->at - 1] = 0;
    h->at = end + 1;
    return true;
}

/* "<f8": the byte order (< little, > big, = this machine's, | none), the kind, the bytes an element. */
static bool read_type(parser *h)
{
    char descr[24];
    const char *start = h->at;
    if (!take_string(h, descr, sizeof descr))
        return refuse(h, "its dtype is no plain one (a string such as '<f4' is expected)");
    const bool marked = strlen(descr) > 2 && strchr("<>=|", descr[0]) != NULL && isdigit((unsigned char)descr[2]);
    char *end = descr;
    const unsigned long size = marked ? strtoul(descr + 2, &end, 10) : 0;
    for (int i = 0; marked && *end == 0 && i < rl_stored_type_count; i++)
        if (rl_stored_types[i].kind == descr[1] && rl_stored_types[i].size == size)
            h->type = &rl_stored_types[i];
    h->big_endian = descr[0] == '>';
    if (h->type != NULL)
        return true;
    for (char *c = descr; *c != 0; c++)
        *c = (char)(isprint((unsigned char)*c) ? *c : '?');
    rl_source_fail(h->source, h->start + (uint64_t)(start - h->text), "no dtype here holds NumPy's '%s'", descr);
    return false;
}

static bool read_shape(parser *h)
{
    if (!take(h, "("))
        return refuse(h, "'(' is expected, where the shape begins");
    for (bool comma = true; !take(h, ")"); comma = take(h, ",")) {
        if (!comma || !isdigit((unsigned char)*h->at))
            return refuse(h, "a size is expected in the shape");
        if (h->rank == RILLE_MAX_RANK)
            return refuse(h, "its rank is above 8");
        int64_t size = 0;
        for (; isdigit((unsigned char)*h->at); h->at++)
            if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, *h->at - '0', &size))
                return refuse(h, "a size is too large");
        h->shape[h->rank++] = size;
    }
    return true;
}

static bool read_value(parser *h, const char *key)
{
    if (strcmp(key, "descr") == 0)
        return read_type(h);
    if (strcmp(key, "shape") == 0)
        return read_shape(h);
    h->fortran_order = take(h, "True");
    return h->fortran_order || take(h, "False") || refuse(h, "fortran_order is neither True nor False");
}

static bool read_dictionary(parser *h)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    if (!take(h, "{"))
        return refuse(h, "its header is no dictionary");
    for (bool comma = true; !take(h, "}"); comma = take(h, ",")) {
        char key[16] = "";
        int which = 3;
        skip_space(h);
        const char *start = h->at;
        if (comma && take_string(h, key, sizeof key))
            for (which = 0; which < 3 && strcmp(key, keys[which]) != 0; which++)
                ;
        if (which == 3 || (h->seen >> which & 1) != 0 || !take(h, ":")) {
            h->at = start;
            return refuse(h, "one of the keys 'descr', 'fortran_order' and 'shape' is expected, each once");
        }
        h->seen |= 1u << which;
        skip_space(h);
        if (!read_value(h, keys[which]))
            return false;
    }
    skip_space(h);
    if (*h->at != 0)
        return refuse(h, "there is more after the dictionary");
    return h->seen == 7 || refuse(h, "the header lacks 'descr', 'fortran_order' or 'shape'");
}

enum { LONGEST_HEADER = 1 << 16 }; /* of plain arrays; NumPy's own reader takes 10,000 bytes */

rille_tensor *rl_read_npy(rl_source *source)
{
    unsigned char head[12];
    if (!rl_source_read(source, head, 10))
        return NULL;
    if (memcmp(head, "\x93NUMPY", 6) != 0) {
        rl_source_fail(source, 0, "not a .npy file: it must begin with \\x93NUMPY");
        return NULL;
    }
    if (head[6] < 1 || head[6] > 3 || head[7] != 0) {
        rl_source_fail(source, 6, "version %d.%d of .npy is not known", head[6], head[7]);
        return NULL;
    }
    if (head[6] > 1 && !rl_source_read(source, head + 10, 2))
        return NULL;
    size_t length = head[8] | (size_t)head[9] << 8;
    if (head[6] > 1)
        length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    if (length > LONGEST_HEADER) {
        rl_source_fail(source, 8, "a header of %zu bytes", length);
        return NULL;
    }
    char *text = rl_allocate_zeroed(source->cx, LONGEST_HEADER + 1);
    parser h = {.source = source, .start = source->at, .text = text, .at = text};
    rille_tensor *t = NULL;
    if (text != NULL && rl_source_read(source, text, length)) {
        if (memchr(text, 0, length) != NULL)
            rl_source_fail(source, h.start, "a zero byte in the header");
        else if (read_dictionary(&h))
            t = rl_read_elements(source, h.type, h.big_endian, h.fortran_order, h.rank, h.shape);
    }
    rl_release(source->cx, text, LONGEST_HEADER + 1);
    return t;
}

rille_tensor *rille_read_npy(rille_context *cx, const char *path)
{
    return rl_read_file(cx, "read_npy", path, rl_read_npy);
}

/* ---- Writing ---- */

size_t rl_npy_header(const rille_tensor *t, char header[RL_NPY_HEADER])
{
    const rl_stored *type = rl_stored_as(t->dtype);
    enum { BEFORE = 10, LINE = 64 }; /* the elements begin at a multiple of LINE */
    char *text = header + BEFORE;
    size_t n = (size_t)snprintf(text, RL_NPY_HEADER - BEFORE, "{'descr': '%c%c%zu', 'fortran_order': False, 'shape': (",
                                type->size == 1 ? '|' : '<', type->kind, type->size);
    for (int d = 0; d < t->rank; d++)
        n += (size_t)snprintf(text + n, RL_NPY_HEADER - BEFORE - n, d == 0 ? "%lld" : ", %lld", (long long)t->shape[d]);
    n += (size_t)snprintf(text + n, RL_NPY_HEADER - BEFORE - n, t->rank == 1 ? ",), }" : "), }");
    while ((BEFORE + n + 1) % LINE != 0)
        text[n++] = ' ';
    text[n++] = '\n';
    memcpy(header, (const char[]){'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0}, 8);
    header[8] = (char)(n & 255);
    header[9] = (char)(n >> 8);
    return BEFORE + n;
}

rille_status rille_write_npy(rille_tensor *t, const char *path)
{
    rille_context *cx = rl_enter("write_npy", RL_LIST(t));
    rl_sink sink;
    char header[RL_NPY_HEADER];
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    rille_scope_push(cx);
    rille_tensor *row_major = rille_contiguous(t);
    bool good = row_major != NULL && rl_sink_open(cx, "write_npy", path, &sink);
    if (good) {
        good = rl_sink_write(&sink, header, rl_npy_header(t, header)) &&
               rl_sink_write(&sink, rl_data(row_major), (size_t)t->numel * rille_dtype_size(t->dtype));
        good = rl_sink_close(&sink, good) == RILLE_OK;
    }
    rille_scope_pop(cx);
    return good ? RILLE_OK : rille_error_status(cx);
}
