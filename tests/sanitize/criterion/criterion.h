/* As much of Criterion as the suites use, in one process. Criterion itself maps memory where ThreadSanitizer has its own. */
#ifndef TESTS_SANITIZE_CRITERION_H
#define TESTS_SANITIZE_CRITERION_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct plain_test {
    const char *suite, *name;
    void (*body)(void);
    struct plain_test *next;
} plain_test;

typedef struct plain_suite { /* what is done before and after each test of a suite */
    const char *name;
    void (*init)(void), (*fini)(void);
    double timeout; /* not kept to */
    struct plain_suite *next;
} plain_suite;

void plain_test_add(plain_test *test);
void plain_suite_add(plain_suite *suite);

/* What went wrong, then a format and its arguments. Ends the test where it is fatal. */
void plain_test_fail(bool fatal, const char *file, int line, const char *what, const char *format, ...);

#define Test(suite_, name_, ...)                                                                                               \
    static void suite_##_##name_(void);                                                                                        \
    static __attribute__((constructor)) void add_##suite_##_##name_(void)                                                      \
    {                                                                                                                          \
        static plain_test test = {#suite_, #name_, suite_##_##name_, NULL};                                                    \
        plain_test_add(&test);                                                                                                 \
    }                                                                                                                          \
    static void suite_##_##name_(void)

#define TestSuite(name_, ...)                                                                                                  \
    static __attribute__((constructor)) void add_suite_##name_(void)                                                           \
    {                                                                                                                          \
        static plain_suite suite = {.name = #name_, __VA_ARGS__};                                                              \
        plain_suite_add(&suite);                                                                                               \
    }                                                                                                                          \
    void plain_suite_add(plain_suite *suite) /* for the semicolon */

#define CHECK(fatal, condition, ...)                                                                                           \
    ((condition) ? (void)0 : plain_test_fail(fatal, __FILE__, __LINE__, #condition, __VA_ARGS__))

#define cr_log_info(...) ((void)0)
#define cr_assert_fail(...) plain_test_fail(true, __FILE__, __LINE__, "failed", __VA_ARGS__)
#define cr_expect_fail(...) plain_test_fail(false, __FILE__, __LINE__, "failed", __VA_ARGS__)
#define cr_assert(...) CHECK(true, __VA_ARGS__, "")
#define cr_expect(...) CHECK(false, __VA_ARGS__, "")
#define cr_expect_not(x, ...) CHECK(false, !(x), "" __VA_ARGS__)
#define cr_assert_null(x, ...) CHECK(true, (x) == NULL, "" __VA_ARGS__)
#define cr_expect_null(x, ...) CHECK(false, (x) == NULL, "" __VA_ARGS__)
#define cr_assert_not_null(x, ...) CHECK(true, (x) != NULL, "" __VA_ARGS__)
#define cr_expect_not_null(x, ...) CHECK(false, (x) != NULL, "" __VA_ARGS__)
#define cr_assert_eq(a, b, ...) CHECK(true, (a) == (b), "" __VA_ARGS__)
#define cr_expect_eq(a, b, ...) CHECK(false, (a) == (b), "" __VA_ARGS__)
#define cr_expect_neq(a, b, ...) CHECK(false, (a) != (b), "" __VA_ARGS__)
#define cr_expect_gt(a, b, ...) CHECK(false, (a) > (b), "" __VA_ARGS__)
#define cr_expect_geq(a, b, ...) CHECK(false, (a) >= (b), "" __VA_ARGS__)
#define cr_expect_lt(a, b, ...) CHECK(false, (a) < (b), "" __VA_ARGS__)
#define cr_expect_leq(a, b, ...) CHECK(false, (a) <= (b), "" __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) CHECK(false, strcmp(a, b) == 0, "" __VA_ARGS__)

#endif
