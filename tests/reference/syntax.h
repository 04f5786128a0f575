/* A formula once it is parsed: what formula.c evaluates. */
#ifndef REFERENCE_SYNTAX_H
#define REFERENCE_SYNTAX_H

#include "reference/formula.h"
#include "reference/jet.h"

enum { MAX_NODES = 256 };

/* Leaves, arithmetic, comparisons (1 or 0), logic, and what compares by itself. */
typedef enum kind {
    NUMBER,
    PI,
    X,
    PARAMETER,
    NEG,
    ADD,
    SUB,
    MUL,
    DIV,
    POW,
    CALL,
    LESS,
    LESS_EQUAL,
    EQUAL,
    NOT,
    AND,
    OR,
    SELECT,
    ABS,
    MIN,
    MAX
} kind;

typedef struct node {
    kind kind;
    int operand[3];         /* other nodes */
    double number;          /* of NUMBER */
    int parameter;          /* of PARAMETER */
    jet_function *function; /* of CALL */
} node;

struct formula {
    node node[MAX_NODES];
    int count, root;
};

#endif
