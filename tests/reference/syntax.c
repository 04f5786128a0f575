/* From text to nodes: a function for each level of precedence, from ?: down to the operand. */
#include "reference/syntax.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_NAME = 64 };

typedef struct parser {
    const char *text, *next;
    const char *const *names;
    int name_count, depth;
    formula *f;
    char *error;
    size_t error_size;
    bool failed;
} parser;

/* Records what is wrong, where, and about which word, and returns some node: the caller goes on, formula_parse ends it. */
static int fail(parser *p, const char *problem, const char *word)
{
    const int column = (int)(p->next - p->text) + 1;
    if (!p->failed) /* the first is the cause */
        snprintf(p->error, p->error_size, word ? "column %d: %s '%s'" : "column %d: %s", column, problem, word);
    p->failed = true;
    return 0;
}

static int fail_here(parser *p)
{
    const char word[] = {*p->next, '\0'};
    return *p->next == '\0' ? fail(p, "the formula ends too early", NULL) : fail(p, "unexpected", word);
}

static int make(parser *p, node n)
{
    if (p->f->count == MAX_NODES)
        return fail(p, "too long", NULL);
    p->f->node[p->f->count] = n;
    return p->f->count++;
}

static int make_binary(parser *p, kind which, int a, int b)
{
    return make(p, (node){.kind = which, .operand = {a, b}});
}

static bool accept(parser *p, const char *symbol)
{
    while (isspace((unsigned char)*p->next))
        p->next++;
    size_t length = strlen(symbol);
    if (strncmp(p->next, symbol, length) != 0)
        return false;
    p->next += length;
    return true;
}

static void expect(parser *p, const char *symbol)
{
    if (!p->failed && !accept(p, symbol))
        fail(p, "expected", symbol);
}

static int parse_choice(parser *p);

static int parse_call(parser *p, const char *name)
{
    static const struct {
        const char *name;
        kind kind;
        int operands;
    } special[] = {{"abs", ABS, 1}, {"min", MIN, 2}, {"max", MAX, 2}, {"pow", POW, 2}};
    node n = {.kind = CALL, .function = jet_function_find(name)};
    int operands = 1;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (strcmp(special[i].name, name) == 0) {
            n.kind = special[i].kind;
            operands = special[i].operands;
        }
    if (n.kind == CALL && n.function == NULL)
        return fail(p, "no function", name);
    for (int i = 0; i < operands; i++) {
        if (i > 0)
            expect(p, ",");
        n.operand[i] = parse_choice(p);
    }
    expect(p, ")");
    return make(p, n);
}

static int parse_name(parser *p)
{
    const char *start = p->next;
    char name[MAX_NAME];
    size_t length = 0;
    while (isalnum((unsigned char)start[length]) || start[length] == '_')
        length++;
    if (length >= MAX_NAME)
        return fail(p, "too long a name", NULL);
    memcpy(name, start, length);
    name[length] = '\0';
    p->next += length;
    for (int i = 0; i < p->name_count; i++)
        if (strcmp(p->names[i], name) == 0)
            return make(p, (node){.kind = PARAMETER, .parameter = i});
    if (strcmp(name, "x") == 0)
        return make(p, (node){.kind = X});
    if (strcmp(name, "pi") == 0)
        return make(p, (node){.kind = PI});
    if (accept(p, "("))
        return parse_call(p, name);
    p->next = start;
    return fail(p, "no parameter", name);
}

static int parse_operand(parser *p)
{
    if (accept(p, "(")) {
        int inner = parse_choice(p);
        expect(p, ")");
        return inner;
    }
    if (isalpha((unsigned char)*p->next) || *p->next == '_')
        return parse_name(p);
    if (isdigit((unsigned char)*p->next) || *p->next == '.') {
        char *end;
        double number = strtod(p->next, &end);
        if (end == p->next || isalnum((unsigned char)*end) || *end == '_')
            return fail(p, "not a number", NULL);
        p->next = end;
        return make(p, (node){.kind = NUMBER, .number = number});
    }
    return fail_here(p);
}

static int parse_unary(parser *p)
{
    if (p->failed || ++p->depth > MAX_DEPTH)
        return fail(p, "nested too deep", NULL);
    int result;
    if (accept(p, "-"))
        result = make(p, (node){.kind = NEG, .operand = {parse_unary(p)}});
    else if (accept(p, "+"))
        result = parse_unary(p);
    else if (accept(p, "!"))
        result = make(p, (node){.kind = NOT, .operand = {parse_unary(p)}});
    else
        result = parse_operand(p);
    p->depth--;
    return result;
}

static int parse_product(parser *p)
{
    int a = parse_unary(p);
    while (!p->failed) {
        if (accept(p, "*"))
            a = make_binary(p, MUL, a, parse_unary(p));
        else if (accept(p, "/"))
            a = make_binary(p, DIV, a, parse_unary(p));
        else
            break;
    }
    return a;
}

static int parse_sum(parser *p)
{
    int a = parse_product(p);
    while (!p->failed) {
        if (accept(p, "+"))
            a = make_binary(p, ADD, a, parse_product(p));
        else if (accept(p, "-"))
            a = make_binary(p, SUB, a, parse_product(p));
        else
            break;
    }
    return a;
}

static int parse_order(parser *p)
{
    int a = parse_sum(p);
    while (!p->failed) {
        if (accept(p, "<="))
            a = make_binary(p, LESS_EQUAL, a, parse_sum(p));
        else if (accept(p, ">="))
            a = make_binary(p, LESS_EQUAL, parse_sum(p), a);
        else if (accept(p, "<"))
            a = make_binary(p, LESS, a, parse_sum(p));
        else if (accept(p, ">"))
            a = make_binary(p, LESS, parse_sum(p), a);
        else
            break;
    }
    return a;
}

static int parse_equality(parser *p)
{
    int a = parse_order(p);
    while (!p->failed) {
        if (accept(p, "=="))
            a = make_binary(p, EQUAL, a, parse_order(p));
        else if (accept(p, "!="))
            a = make(p, (node){.kind = NOT, .operand = {make_binary(p, EQUAL, a, parse_order(p))}});
        else
            break;
    }
    return a;
}

static int parse_and(parser *p)
{
    int a = parse_equality(p);
    while (!p->failed && accept(p, "&&"))
        a = make_binary(p, AND, a, parse_equality(p));
    return a;
}

static int parse_or(parser *p)
{
    int a = parse_and(p);
    while (!p->failed && accept(p, "||"))
        a = make_binary(p, OR, a, parse_and(p));
    return a;
}

static int parse_choice(parser *p)
{
    int condition = parse_or(p);
    if (p->failed || !accept(p, "?"))
        return condition;
    if (++p->depth > MAX_DEPTH)
        return fail(p, "nested too deep", NULL);
    int yes = parse_choice(p);
    expect(p, ":");
    int no = parse_choice(p);
    p->depth--;
    return make(p, (node){.kind = SELECT, .operand = {condition, yes, no}});
}

formula *formula_parse(const char *text, const char *const *names, int count, char *error, size_t size)
{
    formula *f = calloc(1, sizeof *f);
    parser p = {.text = text, .next = text, .names = names, .name_count = count, .f = f, .error = error, .error_size = size};
    if (f == NULL) {
        fail(&p, "out of memory", NULL);
        return NULL;
    }
    f->root = parse_choice(&p);
    accept(&p, ""); /* white space at the end */
    if (!p.failed && *p.next != '\0')
        fail_here(&p);
    if (p.failed) {
        free(f);
        return NULL;
    }
    return f;
}

void formula_free(formula *f)
{
    free(f);
}
