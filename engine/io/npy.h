/* The array format of NumPy, alone in a file (.npy) and as an entry of an archive (.npz). */
#ifndef RL_IO_NPY_H
#define RL_IO_NPY_H

#include "io/file.h"

/* The array that is all of the source. */
rille_tensor *rl_read_npy(rl_source *source);

enum { RL_NPY_HEADER = 320 };
/* Writes the header of t's elements in C order; returns its length. */
size_t rl_npy_header(const rille_tensor *t, char header[RL_NPY_HEADER]);

#endif
