/* Files: what is written comes back; what others write is read; what is broken or hostile gives a message, and nothing else. */
#include "engine/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char TEMPLATE[] = "/tmp/rille-files-XXXXXX";
static char folder[sizeof TEMPLATE], path[64];

static void enter_folder(void)
{
    memcpy(folder, TEMPLATE, sizeof folder);
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void leave_folder(void)
{
    unlink(path);
    cr_expect_eq(rmdir(folder), 0, "something was left beside the file");
}

TestSuite(files, .init = enter_folder, .fini = leave_folder, .timeout = 120 * PATIENCE);

static void write_file(const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
}

static size_t read_file(unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    size_t n = fread(bytes, 1, size, file);
    fclose(file);
    return n;
}

typedef rille_tensor *reader(rille_context *cx, const char *path);

/* The one tensor of an archive. */
static rille_tensor *read_npz(rille_context *cx, const char *from)
{
    rille_archive *archive = rille_open_npz(cx, from);
    rille_tensor *t = rille_archive_read(archive, 0);
    rille_archive_close(archive);
    return t;
}

static rille_tensor *read_safetensors(rille_context *cx, const char *from)
{
    rille_archive *archive = rille_open_safetensors(cx, from);
    rille_tensor *t = rille_archive_read(archive, 0);
    rille_archive_close(archive);
    return t;
}

/* The file of these bytes is refused with "operation: path: what". */
static void expect_refused(rille_context *cx, reader *read, const char *operation, const void *bytes, size_t n,
                           const char *what)
{
    char message[512];
    snprintf(message, sizeof message, "%s: %s: %s", operation, path, what);
    write_file(bytes, n);
    EXPECT_FAILS(cx, read(cx, path), RILLE_ERROR_IO, message);
}

/* Cut short anywhere, it is refused. */
static void expect_whole(rille_context *cx, reader *read, const void *bytes, size_t n)
{
    for (size_t length = 0; length < n; length++) {
        write_file(bytes, length);
        cr_expect_null(read(cx, path), "%zu of %zu bytes are enough", length, n);
        cr_expect_eq(rille_error_status(cx), RILLE_ERROR_IO, "%zu of %zu bytes: %s", length, n, rille_error(cx));
        rille_clear_error(cx);
    }
}

/* ---- IDX ---- */

static void write_gzip(const void *bytes, unsigned n)
{
    gzFile file = gzopen(path, "wb");
    cr_assert(file != NULL && gzwrite(file, bytes, n) == (int)n && gzclose(file) == Z_OK);
}

#define REFUSED(bytes, n, what) expect_refused(cx, rille_read_idx, "read_idx", bytes, n, what)
Test(files, idx)
{
    rille_context *cx = open_with(1, 0);
    const unsigned char good[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};
    write_file(good, sizeof good);
    rille_tensor *t = rille_read_idx(cx, path);
    EXPECT_VALUES(t, 1, 2, 3, 4, 5, 255);
    cr_expect(has_shape(t, SHAPE(2, 3)) && rille_dtype_of(t) == RILLE_UINT8);
    expect_whole(cx, rille_read_idx, good, sizeof good);
    REFUSED("PK\3\4", 4, "not an IDX file: it must begin with two zero bytes (byte 0)");
    REFUSED("\0\0\x0d\1\0\0\0\1", 8, "its elements are not unsigned bytes (type 8) (byte 2)");
    REFUSED("\0\0\x08\0", 4, "its rank is not in 1 ... 8 (byte 3)");
    REFUSED("\0\0\x08\x09", 4, "its rank is not in 1 ... 8 (byte 3)");
    REFUSED("\0\0\x08\1\0\0", 6, "it ends where 2 more bytes are due (byte 6)");
    REFUSED("\0\0\x08\1\0\0\0\2\1\2\3", 11, "uint8 [2] needs 2 bytes, there are 3 (byte 8)");
    REFUSED("\0\0\x08\1\xff\xff\xff\xff", 8, "uint8 [4294967295] needs 4294967295 bytes, there are 0 (byte 8)");
    write_file("\0\0\x08\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
    EXPECT_FAILS(cx, rille_read_idx(cx, path), RILLE_ERROR_SHAPE,
                 "read_idx: shape [4294967295, 4294967295, 4294967295] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_read_idx(cx, "/nowhere/at/all"), RILLE_ERROR_IO,
                 "read_idx: /nowhere/at/all: No such file or directory");
    EXPECT_FAILS(cx, rille_read_idx(cx, "/"), RILLE_ERROR_IO, "read_idx: /: Is a directory");
    EXPECT_FAILS(cx, rille_read_idx(cx, "/dev/zero"), RILLE_ERROR_IO,
                 "read_idx: /dev/zero: not an ordinary file, whose size is known");
    rille_close(cx);
}

Test(files, idx_gzipped)
{
    rille_context *cx = open_with(1, 0);
    const unsigned char good[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9};
    unsigned char packed[128];
    write_gzip(good, sizeof good);
    EXPECT_VALUES(rille_read_idx(cx, path), 7, 8, 9);
    size_t n = read_file(packed, sizeof packed);
    expect_whole(cx, rille_read_idx, packed, n);
    packed[n - 5] ^= 1; /* of its checksum */
    write_file(packed, n);
    cr_expect_null(rille_read_idx(cx, path));
    cr_expect_not_null(strstr(rille_error(cx), "incorrect data check"));
    rille_clear_error(cx);
    write_gzip("\0\0\x08\1\xff\xff\xff\xff", 8); /* cannot unpack to 4 GiB */
    cr_expect_null(rille_read_idx(cx, path));
    cr_expect_not_null(strstr(rille_error(cx), "uint8 [4294967295] needs 4294967295 bytes, there are at most"));
    rille_close(cx);
}

Test(files, records)
{
    rille_context *cx = open_with(1, 0);
    char message[256];
    write_file("\1\2\3\4\5\6", 6);
    rille_tensor *t = rille_read_records(cx, path, 3);
    EXPECT_VALUES(t, 1, 2, 3, 4, 5, 6);
    cr_expect(has_shape(t, SHAPE(2, 3)));
    snprintf(message, sizeof message, "read_records: %s: 6 bytes are no whole number of records of 4 (byte 6)", path);
    EXPECT_FAILS(cx, rille_read_records(cx, path, 4), RILLE_ERROR_IO, message);
    EXPECT_FAILS(cx, rille_read_records(cx, path, 0), RILLE_ERROR_ARGUMENT, "read_records: records of 0 bytes");
    write_gzip("\1\2\3", 3);
    snprintf(message, sizeof message,
             "read_records: %s: it is gzipped: how many records there are is known of plain files only (byte 0)", path);
    EXPECT_FAILS(cx, rille_read_records(cx, path, 3), RILLE_ERROR_IO, message);
    rille_close(cx);
}

Test(files, size)
{
    rille_context *cx = open_with(1, 0);
    write_file("\1\2\3", 3);
    cr_expect_eq(rille_file_size(cx, path), 3);
    write_file("", 0);
    cr_expect_eq(rille_file_size(cx, path), 0);
    EXPECT_NO_ERROR(cx);
    unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0); /* nobody writes to it */
    char message[256];
    snprintf(message, sizeof message, "file_size: %s: not an ordinary file, whose size is known", path);
    cr_expect_eq(rille_file_size(cx, path), -1);
    EXPECT_ERROR(cx, RILLE_ERROR_IO, message);
    cr_expect_eq(rille_file_size(cx, NULL), -1);
    EXPECT_ERROR(cx, RILLE_ERROR_NULL, "file_size: the path is NULL");
    cr_expect_eq(rille_file_size(NULL, path), -1);
    rille_close(cx);
}

/* ---- npy ---- */

static void expect_same(rille_tensor *a, rille_tensor *b)
{
    cr_assert(a != NULL && b != NULL && rille_dtype_of(a) == rille_dtype_of(b));
    cr_assert(has_shape(a, rille_rank(b), rille_shape(b)));
    for (int64_t i = 0; i < rille_numel(a); i++)
        cr_expect(is_same(value_of(a, i), value_of(b, i)), "element %lld", (long long)i);
}

static rille_tensor *sample(rille_context *cx, rille_dtype dtype)
{
    static const double values[] = {0, 1, 2.5, -0.0, -3, 200};
    return rille_to(rille_from(cx, RILLE_FLOAT64, SHAPE(2, 3), values), dtype);
}

Test(files, npy_round_trip)
{
    rille_context *cx = open_with(1, 0);
    for (rille_dtype dtype = RILLE_FLOAT32; dtype <= RILLE_BOOL; dtype++) {
        rille_tensor *t = sample(cx, dtype), *each[] = {t, rille_transpose(t, 0, 1), rille_select(rille_select(t, 0, 0), 0, 1),
                                                        rille_zeros(cx, dtype, SHAPE(0, 4))};
        for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
            cr_expect_eq(rille_write_npy(each[i], path), RILLE_OK);
            expect_same(rille_read_npy(cx, path), each[i]);
        }
    }
    unsigned char bytes[256];
    cr_expect_eq(rille_write_npy(rille_scalar(cx, RILLE_UINT8, 5), path), RILLE_OK);
    size_t n = read_file(bytes, sizeof bytes);
    cr_expect_eq(n, 129);
    cr_expect_eq(memcmp(bytes, "\x93NUMPY\1\0\x76\0{'descr': '|u1', 'fortran_order': False, 'shape': (), }", 60), 0);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* A .npy file of version 1 with this header and these elements. */
static size_t make_npy(unsigned char *bytes, const char *header, const void *elements, size_t n)
{
    size_t length = strlen(header);
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (unsigned char)length;
    bytes[9] = (unsigned char)(length >> 8);
    memcpy(bytes + 10, header, length);
    memcpy(bytes + 10 + length, elements, n);
    return 10 + length + n;
}

static rille_tensor *npy_of(rille_context *cx, const char *descr, const char *rest, const void *elements, size_t n)
{
    unsigned char bytes[512];
    char header[256];
    snprintf(header, sizeof header, "{'descr': '%s', %s}\n", descr, rest);
    write_file(bytes, make_npy(bytes, header, elements, n));
    return rille_read_npy(cx, path);
}

Test(files, npy_of_others)
{
    rille_context *cx = open_with(1, 0);
    const char *pair = "'fortran_order': False, 'shape': (2,), ";
    EXPECT_VALUES(npy_of(cx, ">f4", pair, "\x3f\x80\0\0\xc0\0\0\0", 8), 1, -2);
    EXPECT_VALUES(npy_of(cx, ">i8", pair, "\0\0\0\0\0\0\1\0\xff\xff\xff\xff\xff\xff\xff\xff", 16), 256, -1);
    EXPECT_VALUES(npy_of(cx, "<f2", pair, "\x01\x00\x00\xbc", 4), 0x1p-24, -1);
    EXPECT_VALUES(npy_of(cx, "<f2", pair, "\xff\x03\xff\x7b", 4), 0x1.ff8p-15, 65504);
    EXPECT_VALUES(npy_of(cx, ">f2", pair, "\x7c\0\xfe\0", 4), INFINITY, NAN);
    EXPECT_VALUES(npy_of(cx, "|i1", pair, "\x80\x7f", 2), -128, 127);
    EXPECT_VALUES(npy_of(cx, ">u2", pair, "\xff\xfe\0\1", 4), 65534, 1);
    EXPECT_VALUES(npy_of(cx, "<i4", pair, "\0\0\0\x80\1\0\0\0", 8), -2147483648.0, 1);
    EXPECT_VALUES(npy_of(cx, "<u4", pair, "\0\0\0\x80\1\0\0\0", 8), 2147483648.0, 1);
    cr_expect_eq(rille_dtype_of(npy_of(cx, "|b1", pair, "\1\0", 2)), RILLE_BOOL);
    rille_tensor *t = npy_of(cx, "=u1", "\"shape\":(2,3),'fortran_order':True", "\1\2\3\4\5\6", 6);
    EXPECT_VALUES(t, 1, 3, 5, 2, 4, 6);
    cr_expect(has_shape(t, SHAPE(2, 3)) && rille_is_contiguous(t));
    const char version_2[] = "\x93NUMPY\2\0\x39\0\0\0{'descr':'|u1','fortran_order':False,'shape':(1,)}      \n\7";
    write_file(version_2, sizeof version_2 - 1);
    EXPECT_VALUES(rille_read_npy(cx, path), 7);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

static void refuse_npy(rille_context *cx, const char *header, size_t elements, const char *what)
{
    unsigned char bytes[512], zeros[64] = {0};
    expect_refused(cx, rille_read_npy, "read_npy", bytes, make_npy(bytes, header, zeros, elements), what);
}

Test(files, npy_refused)
{
    rille_context *cx = open_with(1, 0);
    const char *keys = "one of the keys 'descr', 'fortran_order' and 'shape' is expected, each once (byte %d)";
    char text[160];
    expect_refused(cx, rille_read_npy, "read_npy", "PK\3\4______", 10,
                   "not a .npy file: it must begin with \\x93NUMPY (byte 0)");
    expect_refused(cx, rille_read_npy, "read_npy", "\x93NUMPY\4\0\0\0", 10, "version 4.0 of .npy is not known (byte 6)");
    expect_refused(cx, rille_read_npy, "read_npy", "\x93NUMPY\2\0\xff\xff\xff\xff", 12,
                   "a header of 4294967295 bytes (byte 8)");
    refuse_npy(cx, "[]", 0, "its header is no dictionary (byte 10)");
    refuse_npy(cx, "{}", 0, "the header lacks 'descr', 'fortran_order' or 'shape' (byte 12)");
    refuse_npy(cx, "{} 1", 0, "there is more after the dictionary (byte 13)");
    refuse_npy(cx, "{'descr': '<c8'}", 0, "no dtype here holds NumPy's '<c8' (byte 20)");
    refuse_npy(cx, "{'descr': '<u8'}", 0, "no dtype here holds NumPy's '<u8' (byte 20)");
    refuse_npy(cx, "{'descr': '|O'}", 0, "no dtype here holds NumPy's '|O' (byte 20)");
    refuse_npy(cx, "{'descr': [('a', '<f4')]}", 0, "its dtype is no plain one (a string such as '<f4' is expected) (byte 20)");
    refuse_npy(cx, "{'fortran_order': 1}", 0, "fortran_order is neither True nor False (byte 28)");
    refuse_npy(cx, "{'shape': [2]}", 0, "'(' is expected, where the shape begins (byte 20)");
    refuse_npy(cx, "{'shape': (-1,)}", 0, "a size is expected in the shape (byte 21)");
    refuse_npy(cx, "{'shape': (1 2)}", 0, "a size is expected in the shape (byte 23)");
    refuse_npy(cx, "{'shape': (1,1,1,1,1,1,1,1,1)}", 0, "its rank is above 8 (byte 37)");
    refuse_npy(cx, "{'shape': (99999999999999999999,)}", 0, "a size is too large (byte 39)");
    snprintf(text, sizeof text, keys, 11);
    refuse_npy(cx, "{'shapes': (1,)}", 0, text);
    snprintf(text, sizeof text, keys, 26);
    refuse_npy(cx, "{'shape': (1,), 'shape': (1,)}", 0, text);
    refuse_npy(cx, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 16,
               "float32 [3] needs 12 bytes, there are 16 (byte 65)");
    refuse_npy(cx, "{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 200000)}", 0,
               "float64 [4000000000, 200000] needs 6400000000000000 bytes, there are 0 (byte 81)");
    unsigned char bytes[128];
    size_t n = make_npy(bytes, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", "\1\2", 2);
    expect_refused(cx, rille_read_npy, "read_npy", bytes, n, "a bool is 0 or 1, not 2 (byte 66)");
    rille_close(cx);
}

/* ---- npz ---- */

/* Where these bytes are first. */
static unsigned char *find(unsigned char *bytes, size_t n, const char *what, size_t length)
{
    for (unsigned char *at = bytes; at + length <= bytes + n; at++)
        if (memcmp(at, what, length) == 0)
            return at;
    cr_assert_fail("%s is not there", what);
    return NULL;
}

Test(files, npz)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = sample(cx, RILLE_FLOAT32), *y = rille_transpose(sample(cx, RILLE_INT64), 0, 1), *each[] = {x, y};
    const char *names[] = {"aa", "ab"};
    unsigned char bytes[2048];
    for (int compressed = 0; compressed < 2; compressed++) {
        cr_expect_eq(rille_write_npz(cx, path, 2, names, each, compressed != 0), RILLE_OK);
        rille_archive *archive = rille_open_npz(cx, path);
        cr_assert_eq(rille_archive_count(archive), 2);
        for (int i = 0; i < 2; i++) {
            cr_expect_str_eq(rille_archive_name(archive, i), names[i]);
            expect_same(rille_archive_read(archive, i), each[i]);
        }
        cr_expect(rille_archive_name(archive, 2) == NULL && rille_archive_metadata(archive, 0, NULL) == NULL);
        cr_expect_null(rille_archive_read(archive, 2));
        rille_clear_error(cx);
        rille_archive_close(archive);
    }
    size_t n = read_file(bytes, sizeof bytes);
    expect_whole(cx, read_npz, bytes, n);
    for (int i = 0; i < 2; i++) /* in the entry, and in the directory, both become aa.npy */
        find(bytes, n, "ab.npy", 6)[1] = 'a';
    expect_refused(cx, read_npz, "read_npz", bytes, n, "not an .npz file: File already exists");
    EXPECT_STATUS(cx, rille_write_npz(cx, path, 2, (const char *[]){"a", "a"}, each, false), RILLE_ERROR_ARGUMENT,
                  "write_npz: the name 'a' is there twice");
    EXPECT_STATUS(cx, rille_write_npz(cx, path, 1, (const char *[]){""}, each, false), RILLE_ERROR_ARGUMENT,
                  "write_npz: name 0 is empty");
    EXPECT_STATUS(cx, rille_write_npz(cx, path, 0, NULL, NULL, false), RILLE_ERROR_ARGUMENT,
                  "write_npz: an .npz file without arrays cannot be written");
    expect_refused(cx, read_npz, "read_npz", "hello", 5, "not an .npz file: Not a zip archive");
    rille_close(cx);
}

Test(files, npz_that_lies)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *t = rille_from(cx, RILLE_UINT8, SHAPE(4), "abcd");
    const char *name = "t";
    unsigned char bytes[1024];
    cr_assert_eq(rille_write_npz(cx, path, 1, &name, &t, false), RILLE_OK);
    size_t n = read_file(bytes, sizeof bytes);
    find(bytes, n, "abcd", 4)[0] = 'A';
    expect_refused(cx, read_npz, "read_npz", bytes, n, "'t': it cannot be read to its end: CRC error (byte 132)");
    cr_assert_eq(rille_write_npz(cx, path, 1, &name, &t, true), RILLE_OK);
    n = read_file(bytes, sizeof bytes);
    enum { OF_ENTRY = 22, OF_DIRECTORY = 24 }; /* where the size is that it unpacks to */
    memcpy(find(bytes, n, "PK\3\4", 4) + OF_ENTRY, "\xff\xff\xff\x7f", 4);
    memcpy(find(bytes, n, "PK\1\2", 4) + OF_DIRECTORY, "\xff\xff\xff\x7f", 4);
    expect_refused(cx, read_npz, "read_npz", bytes, n, "'t.npy': its packed bytes cannot hold what its size says");
    rille_close(cx);
}

/* ---- safetensors ---- */

static size_t make_safetensors(unsigned char *bytes, const char *header, const void *elements, size_t n)
{
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    memcpy(bytes + 8 + length, elements, n);
    return 8 + length + n;
}

Test(files, safetensors_round_trip)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *each[6];
    const char *names[] = {"float32", "float64", "int64", "uint8", "bool", "empty"}, *value = NULL;
    for (rille_dtype dtype = RILLE_FLOAT32; dtype <= RILLE_BOOL; dtype++)
        each[dtype] = rille_transpose(sample(cx, dtype), 0, 1);
    each[5] = rille_zeros(cx, RILLE_FLOAT32, SHAPE(3, 0));
    cr_expect_eq(rille_write_safetensors(cx, path, 6, names, each, 1, (const char *[]){"who"}, (const char *[]){"\xc3\xa9\n"}),
                 RILLE_OK);
    rille_archive *archive = rille_open_safetensors(cx, path);
    cr_assert_eq(rille_archive_count(archive), 6);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            if (strcmp(rille_archive_name(archive, i), names[j]) == 0)
                expect_same(rille_archive_read(archive, i), each[j]);
    cr_expect_eq(rille_archive_metadata_count(archive), 1);
    cr_expect_str_eq(rille_archive_metadata(archive, 0, &value), "who");
    cr_expect_str_eq(value, "\xc3\xa9\n");
    rille_archive_close(archive);
    EXPECT_STATUS(cx, rille_write_safetensors(cx, path, 1, (const char *[]){"\xff"}, each, 0, NULL, NULL), RILLE_ERROR_ARGUMENT,
                  "write_safetensors: '\xff' is no UTF-8, in its name or its text");
    EXPECT_STATUS(cx, rille_write_safetensors(cx, path, 1, (const char *[]){"__metadata__"}, each, 0, NULL, NULL),
                  RILLE_ERROR_ARGUMENT, "write_safetensors: '__metadata__' is the name of the metadata");
    rille_close(cx);
}

static rille_tensor *safetensors_of(rille_context *cx, const char *header, const void *elements, size_t n)
{
    unsigned char bytes[1024];
    write_file(bytes, make_safetensors(bytes, header, elements, n));
    return read_safetensors(cx, path);
}

Test(files, safetensors_of_others)
{
    rille_context *cx = open_with(1, 0);
    const char *one = "{\"x\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,%d]}}   ";
    const struct {
        const char *dtype, *bytes;
        int size;
        double first, second;
    } rows[] = {{"F32", "\0\0\x80\x3f\0\0\0\xc0", 8, 1, -2}, {"BF16", "\x80\x3f\0\xc0", 4, 1, -2},
                {"F16", "\0\x3c\0\xc0", 4, 1, -2},           {"I8", "\xff\x7f", 2, -1, 127},
                {"U16", "\xff\xff\1\0", 4, 65535, 1},        {"BOOL", "\1\0", 2, 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, one, rows[i].dtype, rows[i].size);
        EXPECT_VALUES(safetensors_of(cx, header, rows[i].bytes, (size_t)rows[i].size), rows[i].first, rows[i].second);
    }
    EXPECT_VALUES(safetensors_of(cx,
                                 "{\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1,2]},\"__metadata__\":{},"
                                 "\"a\":{\"shape\":[1,1],\"data_offsets\":[0,1],\"dtype\":\"U8\"}}",
                                 "\7\x8", 2),
                  7);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

static void refuse_safetensors(rille_context *cx, const char *header, size_t elements, const char *what)
{
    unsigned char bytes[1024], zeros[64] = {0};
    expect_refused(cx, read_safetensors, "read_safetensors", bytes, make_safetensors(bytes, header, zeros, elements), what);
}

Test(files, safetensors_refused)
{
    rille_context *cx = open_with(1, 0);
    unsigned char bytes[256];
    size_t n = make_safetensors(bytes, "{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", "\1\2", 2);
    expect_whole(cx, read_safetensors, bytes, n);
    expect_refused(cx, read_safetensors, "read_safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10,
                   "not a safetensors file: a header of 18446744073709551615 bytes in one of 10 (byte 0)");
    refuse_safetensors(cx, "[]", 0, "its header is no JSON object (byte 8)");
    refuse_safetensors(cx, "{\"x\":1,}", 0, "its header is no JSON object: string or '}' expected near '}' (byte 16)");
    refuse_safetensors(cx, "{\"x\":1,\"x\":1}", 0, "its header is no JSON object: duplicate object key near '\"x\"' (byte 18)");
    refuse_safetensors(cx, "{\"__metadata__\":1}", 0, "its metadata are no JSON object (byte 8)");
    refuse_safetensors(cx, "{\"__metadata__\":{\"a\":1}}", 0, "the metadata 'a' is no string (byte 8)");
    refuse_safetensors(cx, "{\"x\":1}", 0, "'x': dtype, shape and data_offsets are expected (byte 8)");
    const struct {
        const char *dtype, *shape, *offsets, *what;
    } rows[] = {
        {"C64", "[1]", "[0,8]", "'x': no dtype here holds 'C64' (byte 8)"},
        {"U64", "[1]", "[0,8]", "'x': no dtype here holds 'U64' (byte 8)"},
        {"U8", "[-8]", "[0,8]", "'x': its shape is no list of at most 8 sizes (byte 8)"},
        {"U8", "[1,1,1,1,1,1,1,1,8]", "[0,8]", "'x': its shape is no list of at most 8 sizes (byte 8)"},
        {"U8", "[8.0]", "[0,8]", "'x': its shape is no list of at most 8 sizes (byte 8)"},
        {"U8", "[8]", "[8,0]", "'x': its data_offsets are no two offsets in order (byte 8)"},
        {"U8", "[8]", "[0]", "'x': its data_offsets are no two offsets in order (byte 8)"},
        {"U8", "[9]", "[0,9]", "'x': it ends at byte 9 of 8 behind the header (byte 8)"},
        {"F32", "[8]", "[0,8]", "'x': float32 [8] needs 32 bytes, its offsets hold 8 (byte 62)"},
        {"U8", "[7]", "[0,7]", "1 bytes belong to no tensor (byte 68)"},
        {"U8", "[7]", "[1,8]", "'x': there is a gap before it (byte 62)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char header[160];
        snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}}", rows[i].dtype,
                 rows[i].shape, rows[i].offsets);
        refuse_safetensors(cx, header, 8, rows[i].what);
    }
    refuse_safetensors(cx,
                       "{\"x\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]},"
                       "\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                       8, "'y': it overlaps the tensor before it (byte 117)");
    rille_close(cx);
}

/* ---- Hostile files ---- */

typedef struct source_file {
    unsigned char bytes[1 << 15];
    size_t n, header; /* where it pays most to change something */
} source_file;

static void mutate(source_file *file, uint64_t *state)
{
    for (int64_t changes = 1 + random_below(state, 4); changes > 0; changes--) {
        size_t at = (size_t)random_below(state, (int64_t)(random_below(state, 3) > 0 ? file->header : file->n));
        switch (random_below(state, 5)) {
        case 0: file->bytes[at] = (unsigned char)next_random(state); break;
        case 1: file->bytes[at] = (unsigned char)"0123456789[]{},:\"\xff"[random_below(state, 18)]; break;
        case 2: file->bytes[at] ^= (unsigned char)(1u << random_below(state, 8)); break;
        case 3: file->n = at < 1 ? 1 : at, file->header = file->header < file->n ? file->header : file->n; break;
        default: memmove(file->bytes + at, file->bytes + at / 2, file->n - at); break;
        }
    }
}

/* All tensors of an archive: NULL where one is refused. */
static rille_tensor *read_all(rille_context *cx, rille_archive *archive)
{
    rille_tensor *last = archive == NULL ? NULL : rille_scalar(cx, RILLE_BOOL, 0);
    for (int i = 0; last != NULL && i < rille_archive_count(archive); i++)
        last = rille_archive_read(archive, i);
    rille_archive_close(archive);
    return last;
}

static rille_tensor *all_of_npz(rille_context *cx, const char *from)
{
    return read_all(cx, rille_open_npz(cx, from));
}

static rille_tensor *all_of_safetensors(rille_context *cx, const char *from)
{
    return read_all(cx, rille_open_safetensors(cx, from));
}

/* A thousand broken copies of the file at path: each is read, or refused with a message; nothing stays, the limit of memory
 * is kept. */
static void survive(reader *read, size_t header)
{
    static source_file good, broken;
    const size_t limit = 4 << 20;
    uint64_t state = 7;
    int refused = 0;
    good.n = read_file(good.bytes, sizeof good.bytes);
    good.header = header == 0 ? good.n : header;
    rille_context *cx = rille_open(&(rille_options){.threads = 1, .memory_limit = limit});
    for (int i = 0; i < 1000; i++) {
        broken = good;
        mutate(&broken, &state);
        write_file(broken.bytes, broken.n);
        rille_scope_push(cx);
        const rille_tensor *t = read(cx, path);
        cr_expect((t == NULL) == (rille_error(cx) != NULL), "file %d", i);
        refused += t == NULL;
        rille_clear_error(cx);
        rille_scope_pop(cx);
        cr_expect_eq(rille_memory_usage(cx).current, 0, "file %d: %zu bytes stay", i, rille_memory_usage(cx).current);
    }
    cr_expect_leq(rille_memory_usage(cx).peak, limit);
    cr_expect(refused > 500 && refused < 1000, "%d of 1000 were refused", refused);
    rille_close(cx);
}

static void write_several(rille_context *cx, int format)
{
    rille_tensor *each[] = {sample(cx, RILLE_FLOAT32), sample(cx, RILLE_FLOAT64), sample(cx, RILLE_BOOL),
                            rille_zeros(cx, RILLE_INT64, SHAPE(40, 10))};
    const char *names[] = {"weight", "bias", "mask", "order"};
    cr_assert_eq(format == 0   ? rille_write_safetensors(cx, path, 4, names, each, 1, names, names)
                 : format == 1 ? rille_write_npz(cx, path, 4, names, each, true)
                 : format == 2 ? rille_write_npz(cx, path, 4, names, each, false)
                               : rille_write_npy(each[3], path),
                 RILLE_OK);
    rille_close(cx);
}

Test(files, hostile_safetensors)
{
    write_several(open_with(1, 0), 0);
    survive(all_of_safetensors, 400);
}

Test(files, hostile_npz)
{
    write_several(open_with(1, 0), 1);
    survive(all_of_npz, 0);
    write_several(open_with(1, 0), 2);
    survive(all_of_npz, 0);
}

Test(files, hostile_npy)
{
    write_several(open_with(1, 0), 3);
    survive(rille_read_npy, 128);
}

/* A hundred thousand brackets, and a header that the memory limit has no room for. */
Test(files, deep_and_large_headers)
{
    static unsigned char bytes[100008];
    rille_context *cx = rille_open(&(rille_options){.threads = 1, .memory_limit = 1 << 20});
    memset(bytes, '[', sizeof bytes);
    memcpy(bytes, "\xa0\x86\1\0\0\0\0\0", 8);
    write_file(bytes, sizeof bytes);
    cr_expect_null(rille_open_safetensors(cx, path));
    EXPECT_ERROR(
        cx, RILLE_ERROR_MEMORY,
        (snprintf((char *)bytes, 256, "read_safetensors: %s: a header of 100000 bytes is too much for the memory limit", path),
         (char *)bytes));
    rille_set_memory_limit(cx, 0);
    cr_expect_null(rille_open_safetensors(cx, path));
    cr_expect_not_null(strstr(rille_error(cx), "its header is no JSON object: maximum parsing depth reached"));
    rille_close(cx);
}

/* ---- Where files are written ---- */

/* A file that this process has open stays the same file, and gets more. So does a pipe. */
Test(files, that_are_open_are_added_to)
{
    rille_context *cx = open_with(1, 0);
    char name[64], was[16] = {0};
    struct stat before, after;
    cr_assert_eq(rille_write_file(cx, path, "first ", 6), RILLE_OK);
    int file = open(path, O_RDWR), ends[2];
    cr_assert(file >= 0 && pipe(ends) == 0 && fstat(file, &before) == 0);
    snprintf(name, sizeof name, "/dev/fd/%d", file);
    cr_expect_eq(rille_write_file(cx, name, "second", 6), RILLE_OK);
    cr_expect(stat(path, &after) == 0 && after.st_ino == before.st_ino);
    cr_expect(pread(file, was, sizeof was, 0) == 12 && strcmp(was, "first second") == 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[1]);
    cr_expect_eq(rille_write_file(cx, name, "third", 5), RILLE_OK);
    cr_expect(read(ends[0], was, sizeof was) == 5 && strncmp(was, "third", 5) == 0);
    close(file);
    close(ends[0]);
    close(ends[1]);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* What cannot be finished leaves the file that is there, and nothing else. */
Test(files, stay_as_they_are_where_the_disk_is_full)
{
    rille_context *cx = open_with(1, 0);
    char message[200], was[8] = {0};
    static const char large[20000] = {0};
    cr_assert_eq(rille_write_file(cx, path, "good", 4), RILLE_OK);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){10000, RLIM_INFINITY}), 0);
    snprintf(message, sizeof message, "write_file: cannot write '%s': File too large", path);
    EXPECT_STATUS(cx, rille_write_file(cx, path, large, sizeof large), RILLE_ERROR_IO, message);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
    FILE *file = fopen(path, "rb");
    cr_expect(file != NULL && fread(was, 1, sizeof was, file) == 4 && strcmp(was, "good") == 0);
    fclose(file);
    EXPECT_STATUS(cx, rille_write_file(cx, path, NULL, 1), RILLE_ERROR_NULL, "write_file: the bytes are NULL");
    EXPECT_STATUS(cx, rille_write_file(cx, NULL, "x", 1), RILLE_ERROR_NULL, "write_file: the path is NULL");
    rille_close(cx);
}

Test(files, may_have_the_longest_name)
{
    rille_context *cx = open_with(1, 0);
    char longest[sizeof folder + 1 + 255];
    snprintf(longest, sizeof longest, "%s/%0255d", folder, 1);
    cr_expect_eq(rille_write_file(cx, longest, "good", 4), RILLE_OK, "%s", rille_error(cx));
    cr_expect_eq(unlink(longest), 0);
    rille_close(cx);
}

/* Names that others have taken are left to them. */
Test(files, of_others_stay)
{
    enum { TAKEN = 1000 };
    rille_context *cx = open_with(1, 0);
    char other[sizeof folder + 64], message[160];
    for (int i = 0; i < TAKEN; i++) {
        snprintf(other, sizeof other, "%s/.rille-%ld-%d.part", folder, (long)getpid(), i);
        cr_assert_eq(close(open(other, O_WRONLY | O_CREAT, 0600)), 0);
    }
    snprintf(message, sizeof message, "write_file: cannot write '%s': File exists", path);
    EXPECT_STATUS(cx, rille_write_file(cx, path, "x", 1), RILLE_ERROR_IO, message);
    for (int i = 0; i < TAKEN; i++) {
        snprintf(other, sizeof other, "%s/.rille-%ld-%d.part", folder, (long)getpid(), i);
        cr_expect_eq(unlink(other), 0, "%s is gone", other);
    }
    rille_close(cx);
}

Test(files, take_their_place_at_once)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *t = rille_scalar(cx, RILLE_UINT8, 5);
    char link_path[80], message[160];
    struct stat status;
    snprintf(link_path, sizeof link_path, "%s/link", folder);
    cr_assert_eq(symlink("file", link_path), 0); /* to nothing yet */
    cr_expect_eq(rille_write_npy(t, link_path), RILLE_OK);
    cr_expect(lstat(link_path, &status) == 0 && S_ISLNK(status.st_mode) && stat(path, &status) == 0);
    cr_assert_eq(chmod(path, 0640), 0);
    cr_expect_eq(rille_write_npy(rille_add(t, t), link_path), RILLE_OK);
    cr_expect(stat(path, &status) == 0 && (status.st_mode & 0777) == 0640, "mode %o", status.st_mode);
    EXPECT_VALUES(rille_read_npy(cx, path), 10);
    unlink(link_path);
    cr_assert_eq(symlink("link", link_path), 0);
    snprintf(message, sizeof message, "write_npy: cannot write '%s': Too many levels of symbolic links", link_path);
    EXPECT_STATUS(cx, rille_write_npy(t, link_path), RILLE_ERROR_IO, message);
    unlink(link_path);
    snprintf(message, sizeof message, "write_npy: cannot write '%s': Is a directory", folder);
    EXPECT_STATUS(cx, rille_write_npy(t, folder), RILLE_ERROR_IO, message);
    EXPECT_STATUS(cx, rille_write_npy(t, "/nowhere/x"), RILLE_ERROR_IO,
                  "write_npy: cannot write '/nowhere/x': No such file or directory");
    EXPECT_STATUS(cx, rille_write_npy(t, NULL), RILLE_ERROR_NULL, "write_npy: the path is NULL");
    cr_expect_eq(rille_write_npy(t, "/dev/null"), RILLE_OK); /* which stays a device */
    cr_expect(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    EXPECT_STATUS(cx, rille_write_npy(t, "/dev/full"), RILLE_ERROR_IO,
                  "write_npy: cannot write '/dev/full': No space left on device");
    EXPECT_STATUS(cx, rille_write_npz(cx, "/dev/null", 1, (const char *[]){"t"}, &t, false), RILLE_ERROR_IO,
                  "write_npz: cannot write '/dev/null': not an ordinary file");
    rille_close(cx);
}
