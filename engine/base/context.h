/* The context: everything an instance of the engine owns. One thread at a time; see rille.h. */
#ifndef RL_BASE_CONTEXT_H
#define RL_BASE_CONTEXT_H

#include "base/profile.h"
#include "rille.h"

#include <stdatomic.h>

#define RL_MESSAGE_SIZE 512
#define RL_SIZE_CLASSES 256
#define RL_ALIGNMENT 64

typedef struct rl_pool_block {
    struct rl_pool_block *next;
} rl_pool_block;

typedef struct rl_pool {
    rl_pool_block *first;
    size_t size; /* of each block */
} rl_pool;

struct rl_node;

#define RL_MOST_SCOPES 256 /* nested deeper, they share the last one: a push needs no memory, so it cannot fail */

typedef struct rl_scope {
    rille_tensor *first; /* of the tensors it owns, linked through them */
} rl_scope;

struct rille_context {
    rille_options options; /* with the defaults filled in */
    rille_memory memory;
    rl_pool pool[RL_SIZE_CLASSES]; /* freed blocks by size class */

    rille_status status;
    char message[RL_MESSAGE_SIZE];
    atomic_bool cancelled;

    rl_scope scope[RL_MOST_SCOPES]; /* [0]: the context's own tensors */
    int scope_depth;                /* how many were pushed */

    bool grad_enabled;
    bool differentiating; /* a backward or grad is under way */
    rille_anomaly anomaly;
    struct rl_node *dying; /* graph nodes that nobody refers to, on their way out */
    bool releasing;        /* somebody is freeing `dying` */

    uint64_t random_block; /* the next unused Philox counter */
    rl_profile profile;
};

#if defined(__GNUC__) /* lets the compiler hold the arguments against the format */
#define RL_FORMAT(text, first) __attribute__((format(printf, text, first)))
#else
#define RL_FORMAT(text, first)
#endif

/* Records the first error (later ones are kept out until rille_clear_error) and returns `status`. */
RL_FORMAT(3, 4) rille_status rl_fail(rille_context *cx, rille_status status, const char *format, ...);

#endif
