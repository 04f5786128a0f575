/* Runs the tests of a program one after the other, and counts them as Criterion does. */
#include "sanitize/criterion/criterion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

static plain_test *first, **last = &first;
static jmp_buf end_of_test;
static int failures; /* of the test that runs */

void plain_test_add(plain_test *test)
{
    *last = test;
    last = &test->next;
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

int main(void)
{
    static int tested, failing;
    static const plain_test *test;
    for (test = first; test != NULL; test = test->next) {
        failures = 0;
        if (setjmp(end_of_test) == 0)
            test->body();
        if (failures > 0)
            printf("[FAIL] %s::%s\n", test->suite, test->name);
        tested++;
        failing += failures > 0;
    }
    printf("[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: 0\n", tested, tested - failing, failing);
    return failing > 0;
}
