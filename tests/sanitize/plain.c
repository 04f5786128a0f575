/* Runs the tests of a program one after the other, and counts them as Criterion does. */
#include "sanitize/criterion/criterion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

static plain_test *first, **last = &first;
static plain_suite *suites;
static jmp_buf end_of_test;
static int failures; /* of the test that runs */

void plain_test_add(plain_test *test)
{
    *last = test;
    last = &test->next;
}

void plain_suite_add(plain_suite *suite)
{
    suite->next = suites;
    suites = suite;
}

void plain_test_fail(bool fatal, const char *file, int line, const char *what, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: %s: ", file, line, what);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    failures++;
    if (fatal)
        longjmp(end_of_test, 1);
}

/* NULL where nothing was said of the test's suite. */
static const plain_suite *suite_of(const plain_test *test)
{
    const plain_suite *suite = suites;
    while (suite != NULL && strcmp(suite->name, test->suite) != 0)
        suite = suite->next;
    return suite;
}

static void run(const plain_test *test)
{
    const plain_suite *suite = suite_of(test);
    if (suite != NULL && suite->init != NULL)
        suite->init();
    test->body();
}

static void finish(const plain_test *test)
{
    const plain_suite *suite = suite_of(test);
    if (suite != NULL && suite->fini != NULL)
        suite->fini();
}

int main(void)
{
    static int tested, failing;
    static const plain_test *test;
    for (test = first; test != NULL; test = test->next) {
        failures = 0;
        if (setjmp(end_of_test) == 0)
            run(test);
        if (setjmp(end_of_test) == 0)
            finish(test);
        if (failures > 0)
            printf("[FAIL] %s::%s\n", test->suite, test->name);
        tested++;
        failing += failures > 0;
    }
    printf("[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: 0\n", tested, tested - failing, failing);
    return failing > 0;
}
