/* Prints rille_activations.h from activations.def and gates.def: a program of its own, run by the build before it compiles the
 * engine. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>

typedef struct row {
    const char *name, *formula, *source;
    struct {
        const char *name;
        double initial;
    } parameter[8]; /* ends with a name of NULL */
} row;

#define PARAMETERS(...) __VA_ARGS__
#define NO_PARAMETERS {NULL, 0},
#define P(name, initial, low, high) {#name, initial},
#define FORMULA(text) text
#define SOURCE(text) text
#define ACTIVATION(name, width, parameters, f, df, ddf, properties, formula, source) {#name, formula, source, {parameters}},
static const row rows[] = {
#include "activations/activations.def"
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

#define GATE(name, activation, formula, source) {#name, formula, source, {{NULL, 0}}},
static const row gates[] = {
#include "activations/gates.def"
};
enum { GATE_COUNT = sizeof gates / sizeof gates[0] };

/* RILLE_LEAKY_RELU, RILLE_GATE_GLU */
static void print_constant(const char *prefix, const row *r)
{
    printf("%s", prefix);
    for (const char *c = r->name; *c; c++)
        putchar(toupper((unsigned char)*c));
}

static void print_enum(void)
{
    printf("typedef enum rille_activation {\n    RILLE_ACTIVATION_NONE = -1, /* there is none of that name */\n");
    for (int i = 0; i < ROW_COUNT; i++) {
        printf("    ");
        print_constant("RILLE_", &rows[i]);
        printf(" = %d%s /* %s */\n", i, i + 1 < ROW_COUNT ? "," : "", rows[i].formula);
    }
    printf("} rille_activation;\n\n#define RILLE_ACTIVATION_COUNT %d\n\n", ROW_COUNT);
}

static void print_function(const row *r)
{
    printf("/* y = %s, any shape.", r->formula);
    for (int p = 0; r->parameter[p].name; p++)
        printf(" Default %s: %g.", r->parameter[p].name, r->parameter[p].initial);
    printf("\n * %s */\nstatic inline rille_tensor *rille_%s(rille_tensor *x", r->source, r->name);
    for (int p = 0; r->parameter[p].name; p++)
        printf(", double %s", r->parameter[p].name);
    printf(")\n{\n");
    if (r->parameter[0].name) {
        printf("    const double params[] = {");
        for (int p = 0; r->parameter[p].name; p++)
            printf("%s%s", p ? ", " : "", r->parameter[p].name);
        printf("};\n");
    }
    printf("    return rille_activate(x, ");
    print_constant("RILLE_", r);
    printf(", %s);\n}\n\n", r->parameter[0].name ? "params" : "NULL");
}

static void print_gates(void)
{
    printf("typedef enum rille_gate { /* a and b: the halves that x is split into */\n"
           "    RILLE_GATE_NONE = -1, /* there is none of that name */\n");
    for (int i = 0; i < GATE_COUNT; i++) {
        printf("    ");
        print_constant("RILLE_GATE_", &gates[i]);
        printf(" = %d%s /* %s */\n", i, i + 1 < GATE_COUNT ? "," : "", gates[i].formula);
    }
    printf("} rille_gate;\n\n#define RILLE_GATE_COUNT %d\n\n"
           "RILLE_API rille_tensor *rille_gated(rille_tensor *x, rille_gate gate, int dim);\n\n",
           GATE_COUNT);
    for (int i = 0; i < GATE_COUNT; i++) {
        printf("/* %s, a and b the first and the second half of x along dim: [..., 2 n, ...] -> [..., n, ...].\n"
               " * %s */\nstatic inline rille_tensor *rille_%s(rille_tensor *x, int dim)\n{\n    return rille_gated(x, ",
               gates[i].formula, gates[i].source, gates[i].name);
        print_constant("RILLE_GATE_", &gates[i]);
        printf(", dim);\n}\n\n");
    }
}

int main(void)
{
    printf("/* The activations, generated from engine/activations/activations.def and gates.def. Part of rille.h: include "
           "that. */\n"
           "#ifndef RILLE_ACTIVATIONS_H\n#define RILLE_ACTIVATIONS_H\n\n");
    print_enum();
    printf("RILLE_API rille_tensor *rille_activate(rille_tensor *x, rille_activation act, const double *params);\n\n");
    for (int i = 0; i < ROW_COUNT; i++)
        print_function(&rows[i]);
    print_gates();
    printf("#endif\n");
    return fflush(stdout) || ferror(stdout);
}
