/* The graph that autograd walks: one node for each recorded operation. It stands below the operations, which record
 * themselves, and autograd/, which differentiates them. */
#ifndef RL_TENSOR_GRAPH_H
#define RL_TENSOR_GRAPH_H

#include "tensor/tensor.h"

typedef struct rl_node rl_node;

/* Vector-Jacobian product: from g, the gradient of the node's output, to gradient[i] of each input i that rl_needs. Leaves
 * NULL, with the error recorded, where it fails. What it makes broadcast over an input's shape, or in a higher dtype, is
 * summed and converted to the input's own by the caller. */
typedef void rl_vjp(rl_node *node, rille_tensor *g, rille_tensor **gradient);

typedef struct rl_op {
    const char *name;
    rl_vjp *vjp;
} rl_op;

typedef union rl_attributes { /* what an operation must remember beside tensors */
    int dims[RILLE_MAX_RANK];
    int64_t before[RILLE_MAX_RANK]; /* what pad puts in front of each dimension */
    struct {
        int dim;
        int64_t start, step;
    } range;
    struct {
        int dim, other;
        int64_t offset;
    } diagonal;
    struct {
        rille_gate gate;
        int dim;
    } gate;
    struct {
        bool reduced[RILLE_MAX_RANK];
        double divisor; /* of a norm: p */
    } reduction;
    struct {
        int dim;
        bool reverse, own;
    } scan;
    struct {
        double low, high;
    } bounds;
    rille_convolution convolution;
    struct {
        double p;
        uint64_t seed, first; /* of the random numbers that it drew */
    } dropout;
    struct {
        int64_t shape[4];                /* x as samples, groups, channels of a group, elements of a channel */
        bool by_channel, centred, fixed; /* statistics are a channel's over all samples; have a mean; are constants */
        int weight, bias;                /* which inputs they are; 0: there is none */
        double eps;
    } normalise;
    struct {
        rille_pooling options;
        int axes;
    } pooling;
    struct {
        double smoothing;
        bool ignores;
        int64_t ignored;
        rille_reduction reduction;
    } labels;
    struct {
        int loss, term; /* rl_pair_loss, rl_loss_term */
        double parameter;
    } pair_loss;
    struct {
        rille_activation act;
        int order;
        double parameter[RILLE_MAX_PARAMETERS];
    } activation;
    struct {
        rille_activation act;
        int term, which;                 /* rl_term, and the parameter that it is by */
        int input[RILLE_MAX_PARAMETERS]; /* which one holds the parameter; 0: a number does, */
        double parameter[RILLE_MAX_PARAMETERS];
        int factor; /* the input that multiplies; 0: none */
    } learned;
} rl_attributes;

typedef struct rl_edge { /* where the gradient of one input goes */
    rl_node *node;       /* the operation that made the input; or */
    rille_tensor *leaf;  /* the leaf that it is; both NULL: nowhere */
    rille_dtype dtype;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
} rl_edge;

typedef struct rl_hook {
    rille_hook *call; /* NULL once it was removed */
    void *user;
    void (*release)(void *user);
    struct rl_hook *next;
} rl_hook;

typedef struct rl_hooks { /* of one tensor: held by its node or, where it is a leaf, by itself */
    rl_hook *first;
    rille_tensor *incoming;     /* of a leaf, during backward: its gradient, summed so far */
    rille_tensor *next_waiting; /* of the leaves whose hooks are still to be run */
} rl_hooks;

void rl_hooks_free(rille_context *cx, rl_hooks *hooks); /* NULL is allowed */

enum { RL_PLACE_SIZE = 96 };

struct rl_node {
    rille_context *context;
    const rl_op *op;
    size_t references;
    rl_attributes attributes;
    rl_hooks *hooks; /* of the output; NULL where it has none */
    char *place;     /* RL_PLACE_SIZE bytes, where anomaly mode was on: the line of the caller's program */

    int saved_count;
    struct {
        rille_tensor *tensor;
        uint64_t version;
        bool is_output;
    } saved[RL_MOST_INPUTS];
    bool freed; /* by a backward that has been through here */

    rille_tensor *output;   /* while its handle lives: where retain_grad puts the gradient. Not counted as a reference */
    rille_tensor *gradient; /* during backward: of the output, summed so far */
    rille_tensor **capture; /* during rille_grad: where the output's gradient is wanted */
    bool reached;           /* during backward: on the list of nodes to visit; */
    int64_t pending;        /* and how many edges lead to it from nodes that have not been visited yet */
    rl_node *next;          /* among those ready to be visited, or those being freed */

    int edge_count;
    rl_edge edge[];
};

/* Call when `out` has been computed from `inputs`: records the operation where gradients are enabled and an input needs
 * one. `saved` are the tensors that its vjp will ask for (out itself among them, if it likes); `attributes` is copied, NULL
 * is allowed. Returns out; on failure frees it and returns NULL. A NULL out is passed through. */
rille_tensor *rl_record(rille_tensor *out, const rl_op *op, rl_list inputs, rl_list saved, const rl_attributes *attributes);
/* The same for any number of inputs. */
rille_tensor *rl_record_many(rille_tensor *out, const rl_op *op, int count, rille_tensor *const *inputs, rl_list saved,
                             const rl_attributes *attributes);

bool rl_needs(const rl_node *node, int input);

/* The i-th saved tensor; NULL, with the error recorded, where it was written in place since. */
rille_tensor *rl_saved(rl_node *node, int i);

/* In anomaly mode: false, with the error recorded, where `out` of the operation, or the gradient of its i-th input, is not
 * finite as it should be. `g` is the gradient that it was made from. */
bool rl_is_sound(const rille_tensor *out, const rl_op *op, int count, rille_tensor *const *inputs);
bool rl_is_sound_gradient(const rl_node *node, const rille_tensor *g, int i, const rille_tensor *gradient);

bool rl_tracks(const rille_tensor *t); /* operations on t are to be recorded */

void rl_node_forget(rl_node *node); /* drops what was saved: after backward */
void rl_node_drop(rl_node *node);   /* one reference less; NULL is allowed. Chains of any length are freed without recursion */

#endif
