/* Instruction sets: RILLE_ISA picks any that the CPU has, says so where it cannot, and all of them compute the same. The
 * library looks at RILLE_ISA once in a process, so each value is tried in a child, which sends back what it found. */
#include "accuracy/rows.h"
#include "base/blas.h"
#include "engine/support.h"
#include "reference/ulp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POINTS = 997, MOST_SETS = 8 };

typedef struct computed {
    float narrow[RILLE_ACTIVATION_COUNT][ORDERS][POINTS];
    double wide[RILLE_ACTIVATION_COUNT][ORDERS][POINTS];
} computed;

typedef struct report {
    char isa[16];
    char refused[600]; /* "" for NULL */
    bool failed;
    computed values;
} report;

/* -12 ... 12, then far out, tiny and special. The count is odd: each loop has a tail. */
static double point(int i)
{
    static const double others[] = {0.0, -0.0, 1e-40, -1e-20, 37, -104, 1e30, -HUGE_VAL, HUGE_VAL, (double)NAN};
    const int count = sizeof others / sizeof others[0];
    return i < count ? others[i] : -12 + 24.0 * (i - count) / (POINTS - count - 1);
}

static void compute(rille_context *cx, computed *values)
{
    float narrow[POINTS];
    double wide[POINTS];
    for (int i = 0; i < POINTS; i++)
        narrow[i] = (float)(wide[i] = point(i));
    for (int act = 0; act < RILLE_ACTIVATION_COUNT; act++)
        for (int order = 0; order < ORDERS; order++) {
            rille_map(cx, (rille_activation)act, NULL, order, RILLE_FLOAT32, POINTS, narrow, values->narrow[act][order]);
            rille_map(cx, (rille_activation)act, NULL, order, RILLE_FLOAT64, POINTS, wide, values->wide[act][order]);
        }
}

static void write_report(int into, const char *wanted)
{
    static report r;
    if (wanted == NULL)
        unsetenv("RILLE_ISA");
    else
        setenv("RILLE_ISA", wanted, 1);
    rille_context *cx = rille_open(NULL);
    snprintf(r.isa, sizeof r.isa, "%s", rille_isa());
    snprintf(r.refused, sizeof r.refused, "%s", rille_isa_refused() == NULL ? "" : rille_isa_refused());
    compute(cx, &r.values);
    r.failed = rille_error(cx) != NULL;
    rille_close(cx);
    for (size_t sent = 0; sent < sizeof r;) {
        ssize_t n = write(into, (const char *)&r + sent, sizeof r - sent);
        if (n <= 0)
            _exit(1);
        sent += (size_t)n;
    }
}

/* What a process finds where RILLE_ISA is `wanted`; NULL: is not set. */
static void run_under(const char *wanted, report *r)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        write_report(ends[1], wanted);
        _exit(0);
    }
    close(ends[1]);
    size_t got = 0;
    for (ssize_t n = 1; n > 0 && got<sizeof *r; got += n> 0 ? (size_t)n : 0)
        n = read(ends[0], (char *)r + got, sizeof *r - got);
    close(ends[0]);
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0 && got == sizeof *r, "RILLE_ISA=%s: status %d, %zu bytes",
              wanted == NULL ? "(unset)" : wanted, status, got);
    cr_expect(!r->failed, "RILLE_ISA=%s: rille_map failed", wanted == NULL ? "(unset)" : wanted);
}

/* The best set that the CPU has. Does not make the library pick. */
static const char *best_set(void)
{
    int i = 0;
    while (rille_isa_name(i) != NULL && !rille_isa_runs(i))
        i++;
    cr_assert_not_null(rille_isa_name(i), "there is always one");
    return rille_isa_name(i);
}

static void append_names(char *text, size_t size, bool all)
{
    text[0] = '\0';
    for (int i = 0; rille_isa_name(i) != NULL; i++)
        if (all || rille_isa_runs(i))
            snprintf(text + strlen(text), size - strlen(text), "%s%s", text[0] == '\0' ? "" : ", ", rille_isa_name(i));
}

Test(dispatch, lists_the_sets)
{
    int count = 0;
    while (rille_isa_name(count) != NULL)
        count++;
    cr_expect(count >= 1 && count <= MOST_SETS, "%d sets", count);
    cr_expect(rille_isa_runs(count - 1), "the last needs nothing of the CPU");
    cr_expect_null(rille_isa_name(-1));
    cr_expect_not(rille_isa_runs(-1));
    cr_expect_not(rille_isa_runs(count));
}

Test(dispatch, takes_the_best_where_nothing_is_asked_for)
{
    static report r;
    static const char *const nothing[] = {NULL, ""};
    for (int i = 0; i < 2; i++) {
        run_under(nothing[i], &r);
        cr_expect_str_eq(r.isa, best_set());
        cr_expect_str_eq(r.refused, "");
    }
}

Test(dispatch, takes_each_set_that_the_cpu_has)
{
    static report r;
    for (int i = 0; rille_isa_name(i) != NULL; i++) {
        char names[128], expected[600] = "";
        append_names(names, sizeof names, false);
        run_under(rille_isa_name(i), &r);
        cr_expect_str_eq(r.isa, rille_isa_runs(i) ? rille_isa_name(i) : best_set());
        if (!rille_isa_runs(i))
            snprintf(expected, sizeof expected,
                     "RILLE_ISA=%s: this processor lacks that instruction set, it has (%s); %s is in use", rille_isa_name(i),
                     names, best_set());
        cr_expect_str_eq(r.refused, expected);
    }
}

Test(dispatch, says_so_where_there_is_no_such_set)
{
    static report r;
    static const char *const unknown[] = {"v9", "V3", "v3 ", " ", "generic,v3", "avx2", "%s%n"};
    char names[128], expected[600];
    append_names(names, sizeof names, true);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        run_under(unknown[i], &r);
        snprintf(expected, sizeof expected,
                 "RILLE_ISA=%s: there is no such instruction set, the library has (%s); %s is in use", unknown[i], names,
                 best_set());
        cr_expect_str_eq(r.refused, expected);
        cr_expect_str_eq(r.isa, best_set());
    }
    char *endless = calloc(100001, 1);
    cr_assert_not_null(endless);
    memset(endless, 'v', 100000);
    run_under(endless, &r);
    cr_expect_str_eq(r.isa, best_set());
    cr_expect(strlen(r.refused) < 400 && strstr(r.refused, "is in use") != NULL, "%s", r.refused);
    free(endless);
}

/* ---- All compute the same ---- */

/* a and b are at most so many ULP apart, and have the same sign, that of a zero included; NaN is NaN. */
static bool agree(const ulp_format *format, double ulp, double a, double b)
{
    return ulp_error_double(format, a, b) <= ulp && (isnan(a) || signbit(a) == signbit(b));
}

static void compare(const report *a, const report *b)
{
    const bool same_bits = fuses(a->isa) == fuses(b->isa);
    for (int act = 0; act < RILLE_ACTIVATION_COUNT; act++)
        for (int order = 0; order < ORDERS; order++)
            for (int i = 0; i < POINTS; i++) {
                const float *f[2] = {&a->values.narrow[act][order][i], &b->values.narrow[act][order][i]};
                const double *d[2] = {&a->values.wide[act][order][i], &b->values.wide[act][order][i]};
                const char *name = rille_activation_describe((rille_activation)act)->name;
                cr_expect(agree(&ulp_float32, same_bits ? 0 : 1, (double)*f[0], (double)*f[1]),
                          "%s, order %d, float32 at %g: %s gives %.9g, %s %.9g", name, order, point(i), a->isa, (double)*f[0],
                          b->isa, (double)*f[1]);
                cr_expect(agree(&ulp_float64, same_bits ? 0 : 3, *d[0], *d[1]),
                          "%s, order %d, float64 at %g: %s gives %.17g, %s %.17g", name, order, point(i), a->isa, *d[0], b->isa,
                          *d[1]);
            }
}

/* float32 is faithfully rounded: two sets differ by one number at most. float64 within 2 ULP of the truth: by 3. Sets that
 * fuse multiply and add, and those that do not, have the same bits among themselves. */
Test(dispatch, all_sets_agree)
{
    static report reports[MOST_SETS];
    int count = 0;
    for (int i = 0; rille_isa_name(i) != NULL; i++)
        if (rille_isa_runs(i))
            run_under(rille_isa_name(i), &reports[count++]);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            compare(&reports[j], &reports[i]);
    cr_expect_gt(count, 0);
}

/* ---- OpenBLAS's own choice ---- */

Test(dispatch, only_what_openblas_takes_for_unknown_is_replaced)
{
    cr_expect_str_eq(rl_better_blas_core("Prescott", true, true), "SkylakeX");
    cr_expect_str_eq(rl_better_blas_core("Prescott", false, true), "Haswell");
    cr_expect_null(rl_better_blas_core("Prescott", false, false), "a Prescott, or what is as old");
    for (int i = 0; i < 4; i++)
        cr_expect_null(rl_better_blas_core((const char *[]){"Haswell", "SkylakeX", "Zen", "armv8"}[i], true, true));
}

Test(dispatch, openblas_is_named_with_its_kernels)
{
    cr_expect_eq(strncmp(rille_blas(), "OpenBLAS ", 9), 0, "%s", rille_blas());
    cr_expect_not_null(strstr(rille_blas(), rille_blas_core()), "%s, %s", rille_blas(), rille_blas_core());
    const char *better = rille_blas_better_core();
    cr_expect(better == NULL || strcmp(rille_blas_core(), "Prescott") == 0, "%s instead of %s", better, rille_blas_core());
    cr_assert_eq(setenv("OPENBLAS_CORETYPE", "Haswell", 1), 0);
    cr_expect_null(rille_blas_better_core(), "the user has chosen");
}
