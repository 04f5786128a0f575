/* Text of a tensor, readable at any size: long dimensions show their first and last elements. */
#include "tensor/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SUMMARISE_ABOVE = 1000, EDGE = 3, CELL = 32 };

typedef struct printer {
    const rille_tensor *t;
    char *buffer;
    size_t size, used;
    bool summarise;
    bool plain; /* all values shown are whole numbers, or fit %.4f: no exponents */
    bool whole; /* ... all whole */
    int width;  /* of a cell */
} printer;

RL_FORMAT(2, 3) static void put(printer *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = p->used < p->size ? p->size - p->used : 0;
    int n = vsnprintf(room > 0 ? p->buffer + p->used : NULL, room, format, arguments);
    va_end(arguments);
    p->used += n > 0 ? (size_t)n : 0;
}

static double value_at(const rille_tensor *t, int64_t element, int64_t *integer)
{
    const char *data = t->storage->data + (size_t)element * rille_dtype_size(t->dtype);
    switch (t->dtype) {
    case RILLE_FLOAT32: return *(const float *)data;
    case RILLE_FLOAT64: return *(const double *)data;
    case RILLE_INT64: *integer = *(const int64_t *)data; break;
    case RILLE_UINT8: *integer = *(const uint8_t *)data; break;
    case RILLE_BOOL: *integer = *(const bool *)data; break;
    }
    return (double)*integer;
}

static void cell_text(const printer *p, int64_t element, char text[CELL])
{
    int64_t integer = 0;
    double x = value_at(p->t, element, &integer);
    if (p->t->dtype == RILLE_BOOL)
        snprintf(text, CELL, "%s", integer != 0 ? "true" : "false");
    else if (!rl_is_floating(p->t->dtype))
        snprintf(text, CELL, "%" PRId64, integer);
    else if (!isfinite(x))
        snprintf(text, CELL, "%s", x != x ? "nan" : x > 0 ? "inf" : "-inf");
    else if (p->whole)
        snprintf(text, CELL, "%.0f.", x);
    else
        snprintf(text, CELL, p->plain ? "%.4f" : "%.4e", x);
}

typedef void visit(printer *p, int64_t element);

/* Calls f for each element that is shown. */
static void each_shown(printer *p, int d, int64_t element, visit *f)
{
    const rille_tensor *t = p->t;
    if (d == t->rank) {
        f(p, element);
        return;
    }
    bool cut = p->summarise && t->shape[d] > 2 * EDGE;
    for (int64_t i = 0; i < t->shape[d]; i++) {
        if (cut && i == EDGE)
            i = t->shape[d] - EDGE;
        each_shown(p, d + 1, element + i * t->stride[d], f);
    }
}

static void judge(printer *p, int64_t element)
{
    int64_t integer = 0;
    double x = value_at(p->t, element, &integer);
    if (!rl_is_floating(p->t->dtype) || !isfinite(x) || x == 0)
        return;
    p->whole = p->whole && x == rint(x) && fabs(x) < 1e7;
    p->plain = p->plain && fabs(x) >= 1e-3 && fabs(x) < 1e5;
}

static void widen(printer *p, int64_t element)
{
    char text[CELL];
    cell_text(p, element, text);
    int n = (int)strlen(text);
    if (n > p->width)
        p->width = n;
}

static void put_dimension(printer *p, int d, int64_t element)
{
    const rille_tensor *t = p->t;
    if (d == t->rank) {
        char text[CELL];
        cell_text(p, element, text);
        put(p, "%*s", p->width, text);
        return;
    }
    bool cut = p->summarise && t->shape[d] > 2 * EDGE;
    put(p, "[");
    for (int64_t i = 0; i < t->shape[d]; i++) {
        if (i > 0 && d == t->rank - 1)
            put(p, ", ");
        else if (i > 0)
            put(p, d == t->rank - 2 ? ",\n%*s" : ",\n\n%*s", d + 1, "");
        if (cut && i == EDGE) {
            put(p, d == t->rank - 1 ? "..., " : "...,\n%*s", d + 1, "");
            i = t->shape[d] - EDGE;
        }
        put_dimension(p, d + 1, element + i * t->stride[d]);
    }
    put(p, "]");
}

size_t rille_print(const rille_tensor *t, char *buffer, size_t size)
{
    if (t == NULL) {
        int n = snprintf(buffer, size, "(no tensor)");
        return (size_t)n;
    }
    printer p = {.t = t, .buffer = buffer, .size = size, .summarise = t->numel > SUMMARISE_ABOVE, .plain = true, .whole = true};
    if (t->numel == 0) {
        put(&p, "[]");
    } else {
        each_shown(&p, 0, t->offset, judge);
        each_shown(&p, 0, t->offset, widen);
        put_dimension(&p, 0, t->offset);
    }
    put(&p, "  %s %s", rille_dtype_name(t->dtype), RL_SHAPE(t));
    return p.used;
}
