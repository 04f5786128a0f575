/* Elements as files store them, to tensors: of either byte order, converted where no dtype is the same. */
#include "io/file.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "files are written as elements lie in memory, and meant to be little-endian");

const rl_stored rl_stored_types[] = {
    {"float32", "F32", 4, RILLE_FLOAT32, 'f'}, {"float64", "F64", 8, RILLE_FLOAT64, 'f'},
    {"int64", "I64", 8, RILLE_INT64, 'i'},     {"uint8", "U8", 1, RILLE_UINT8, 'u'},
    {"bool", "BOOL", 1, RILLE_BOOL, 'b'},      {"float16", "F16", 2, RILLE_FLOAT32, 'f'},
    {"bfloat16", "BF16", 2, RILLE_FLOAT32, 0}, {"int8", "I8", 1, RILLE_INT64, 'i'},
    {"int16", "I16", 2, RILLE_INT64, 'i'},     {"int32", "I32", 4, RILLE_INT64, 'i'},
    {"uint16", "U16", 2, RILLE_INT64, 'u'},    {"uint32", "U32", 4, RILLE_INT64, 'u'},
};
const int rl_stored_type_count = (int)(sizeof rl_stored_types / sizeof rl_stored_types[0]);

const rl_stored *rl_stored_as(rille_dtype dtype)
{
    const rl_stored *type = rl_stored_types;
    while (type->dtype != dtype)
        type++;
    return type;
}

static bool is_same(const rl_stored *type)
{
    return rl_stored_as(type->dtype) == type;
}

static void reverse_bytes(unsigned char *bytes, size_t count, size_t size)
{
    for (unsigned char *element = bytes; element < bytes + count * size; element += size)
        for (size_t i = 0; i < size / 2; i++) {
            unsigned char kept = element[i];
            element[i] = element[size - 1 - i];
            element[size - 1 - i] = kept;
        }
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction. Exact in binary32, a NaN keeps its payload. */
static uint32_t from_half(uint32_t half)
{
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31)
        return sign | 0x7f800000u | fraction << 13;
    if (exponent == 0 && fraction == 0)
        return sign;
    if (exponent == 0) { /* fraction 2^-24: normalised */
        for (exponent = 1; (fraction & 1024) == 0; exponent--)
            fraction <<= 1;
        fraction &= 1023;
    }
    return sign | (exponent + 127 - 15) << 23 | fraction << 13;
}

static int64_t integer_of(const rl_stored *type, const unsigned char *bytes)
{
    uint64_t value = 0;
    uint16_t two;
    uint32_t four;
    switch (type->size) {
    case 1: value = bytes[0]; break;
    case 2: memcpy(&two, bytes, 2), value = two; break;
    default: memcpy(&four, bytes, 4), value = four; break;
    }
    uint64_t sign = (uint64_t)1 << (8 * type->size - 1);
    return type->kind == 'i' ? (int64_t)(value ^ sign) - (int64_t)sign : (int64_t)value;
}

/* `count` elements, of this machine's byte order, into those of type->dtype. */
static void convert(const rl_stored *type, const unsigned char *from, size_t count, void *into)
{
    for (size_t i = 0; i < count; i++) {
        if (type->dtype == RILLE_INT64) {
            ((int64_t *)into)[i] = integer_of(type, from + i * type->size);
            continue;
        }
        uint16_t half;
        memcpy(&half, from + i * type->size, 2);
        uint32_t bits = type->kind == 'f' ? from_half(half) : (uint32_t)half << 16;
        memcpy((float *)into + i, &bits, 4);
    }
}

static bool read_converted(rl_source *source, const rl_stored *type, bool swap, size_t count, char *into)
{
    unsigned char part[1 << 14];
    for (size_t done = 0, n; done < count; done += n) {
        n = sizeof part / type->size < count - done ? sizeof part / type->size : count - done;
        if (!rl_source_read(source, part, n * type->size))
            return false;
        if (swap)
            reverse_bytes(part, n, type->size);
        convert(type, part, n, into + done * rille_dtype_size(type->dtype));
    }
    return true;
}

static bool read_same(rl_source *source, const rl_stored *type, bool swap, size_t count, unsigned char *into)
{
    uint64_t start = source->at;
    if (!rl_source_read(source, into, count * type->size))
        return false;
    if (swap)
        reverse_bytes(into, count, type->size);
    for (size_t i = 0; type->dtype == RILLE_BOOL && i < count; i++)
        if (into[i] > 1) {
            unsigned found = into[i];
            memset(into, 0, count); /* a bool that is neither may not be seen by anybody */
            rl_source_fail(source, start + i, "a bool is 0 or 1, not %u", found);
            return false;
        }
    return true;
}

rille_tensor *rl_read_elements(rl_source *source, const rl_stored *type, bool big_endian, bool fortran_order, int rank,
                               const int64_t *shape)
{
    int64_t sizes[RILLE_MAX_RANK], numel;
    int backwards[RILLE_MAX_RANK];
    if (!rl_check_shape(source->cx, source->operation, type->dtype, rank, shape, &numel))
        return NULL;
    uint64_t needed = (uint64_t)numel * type->size, left = source->most > source->at ? source->most - source->at : 0;
    if (source->exact ? needed != left : needed > left) {
        rl_source_fail(source, source->at, "%s %s needs %llu bytes, there are %s%llu", type->name,
                       rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, shape), (unsigned long long)needed,
                       source->exact ? "" : "at most ", (unsigned long long)left);
        return NULL;
    }
    for (int d = 0; d < rank; d++) {
        sizes[d] = shape[fortran_order ? rank - 1 - d : d];
        backwards[d] = rank - 1 - d;
    }
    rille_scope_push(source->cx);
    rille_tensor *t = rl_new(source->cx, source->operation, type->dtype, rank, sizes);
    if (t != NULL && !(is_same(type) ? read_same(source, type, big_endian, (size_t)numel, (unsigned char *)rl_data(t))
                                     : read_converted(source, type, big_endian, (size_t)numel, rl_data(t))))
        t = NULL;
    if (fortran_order && rank > 1)
        t = rille_contiguous(rille_permute(t, backwards));
    return rl_scope_return(source->cx, t);
}
