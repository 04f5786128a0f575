/* A training step of five nets in Rille and in PyTorch: forward, cross-entropy, backward, SGD; with one thread and two; as it
 * is, with the norm and the standard deviation of every parameter's gradient each step, and with all that Rille's probe records
 * of every layer, against the same two numbers in PyTorch. Both start from the same weights and data, and nothing is timed where their gradients differ. They
 * take turns, sample by sample, and the median counts. The table goes to standard output, the same figures as JSON to a file.
 *
 *     driver FOLDER PYTHON RILLE     FOLDER gets the weights and train.json; ONLY=lstm, in the environment, picks that net
 *
 * Each is a process of its own for every line of the table, so that its memory is that of this net. It is asked, line by line:
 *
 *     name                                  what it is, with its version
 *     case NET THREADS STATISTICS FILE      "ok". STATISTICS: none, gradients or probe. Rille writes the data, the weights and
 *                                           their gradients to FILE, as .npz; PyTorch reads it
 *     compare                               (PyTorch) how far its gradients are from those of FILE: the worst parameter's
 *                                           |g - g'| / |g'|
 *     run COUNT                             the seconds that so many steps took: of the processor with one thread, so that what
 *                                           else the machine is doing does not count; as they pass with more
 *     memory                                bytes that were resident at most, beyond those before the net was made */
#include "bench/peers/peer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 15, RILLE = 0, PYTORCH = 1, BOTH = 2 };
enum { NONE, GRADIENTS, PROBE, STATISTICS }; /* what is measured each step */
static const char *const statistics_name[STATISTICS] = {"none", "gradients", "probe"};
static const double SAMPLE_SECONDS = 6e-2; /* at least, for one sample */
static const double TOLERANCE = 1e-4;      /* of gradients, relative */

/* floor: milliseconds that the arithmetic takes on one core of an AVX-512 Xeon at 2.8 GHz, about; 0: not known. goal: how many
 * times as fast as PyTorch Rille means to be on one core, by statistics; 0: no goal of its own. */
typedef struct net {
    const char *name, *title;
    double floor, goal[STATISTICS];
} net;
static const net nets[] = {
    {"sigmoid", "784-256x3-10 sigmoid, batch 64", 0.8, {0, 0}}, {"tanh", "64-64x50-10 tanh, batch 64", 0.8, {4, 6}},
    {"relu", "1024-1024x4-10 relu, batch 1024", 150, {1.5, 0}}, {"lstm", "LSTM 32-128, T 100, batch 32; linear", 15, {4, 0}},
    {"cnn", "conv 16, conv 32, 28x28, batch 64", 0, {0, 0}},
};

typedef struct line {
    const net *net;
    int threads;
    int statistics;
    double off; /* how far the gradients are from each other */
    double median[BOTH], bytes[BOTH];
    double load; /* average over the last minute, as the machine tells it, after the timing */
} line;

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double ask_number(peer *p, const char *request)
{
    char answer[ANSWER_SIZE], *end;
    if (!peer_ask(p, answer, "%s", request))
        return NAN;
    const double number = strtod(answer, &end);
    return end == answer ? (double)NAN : number;
}

static double run(peer *p, long count)
{
    char request[64];
    snprintf(request, sizeof request, "run %ld", count);
    return ask_number(p, request);
}

static double load_average(void)
{
    double load = NAN;
    FILE *file = fopen("/proc/loadavg", "r");
    if (file == NULL || fscanf(file, "%lf", &load) != 1)
        load = NAN;
    if (file != NULL)
        fclose(file);
    return load;
}

static bool begin(peer *peers, const line *l, const char *folder)
{
    char answer[ANSWER_SIZE];
    for (int who = 0; who < BOTH; who++)
        if (!peer_ask(&peers[who], answer, "case %s %d %s %s/weights.npz", l->net->name, l->threads,
                      statistics_name[l->statistics], folder) ||
            strcmp(answer, "ok") != 0)
            return false;
    return true;
}

static void time_in_turns(peer *peers, line *l)
{
    double seconds[BOTH][SAMPLES];
    long count[BOTH];
    for (int who = 0; who < BOTH; who++)
        for (count[who] = 1; run(&peers[who], count[who]) < SAMPLE_SECONDS;)
            count[who] *= 2;
    for (int i = 0; i < SAMPLES; i++)
        for (int who = 0; who < BOTH; who++)
            seconds[who][i] = run(&peers[who], count[who]) / (double)count[who];
    for (int who = 0; who < BOTH; who++) {
        qsort(seconds[who], SAMPLES, sizeof seconds[who][0], by_value);
        l->median[who] = seconds[who][SAMPLES / 2];
        l->bytes[who] = ask_number(&peers[who], "memory");
    }
    l->load = load_average();
}

/* False, having said so, where there is nothing to time. */
static bool measure(peer *peers, line *l, const char *folder)
{
    if (!begin(peers, l, folder)) {
        printf("%-38s one of the two cannot do it\n", l->net->title);
        return false;
    }
    l->off = ask_number(&peers[PYTORCH], "compare");
    if (!(l->off <= TOLERANCE)) {
        printf("%-38s gradients differ by %.3g of their norm; there is no point in timing it\n", l->net->title, l->off);
        return false;
    }
    time_in_turns(peers, l);
    return isfinite(l->median[RILLE]) && isfinite(l->median[PYTORCH]);
}

static void print_number(int width, const char *format, double x)
{
    char text[32] = "";
    if (x > 0)
        snprintf(text, sizeof text, format, x);
    printf(" %*s", width, text);
}

static void print_line(const line *l)
{
    printf("%-38s %7d %10s %9.3f %9.3f %6.2f", l->net->title, l->threads,
           l->statistics == NONE ? "" : statistics_name[l->statistics], 1e3 * l->median[RILLE], 1e3 * l->median[PYTORCH],
           l->median[PYTORCH] / l->median[RILLE]);
    print_number(5, "%g", l->threads == 1 ? l->net->goal[l->statistics] : 0);
    print_number(6, "%g", l->threads == 1 ? l->net->floor : 0);
    printf(" %8.1f %8.1f %8.0e %6.2f\n", l->bytes[RILLE] / 1e6, l->bytes[PYTORCH] / 1e6, l->off, l->load);
    fflush(stdout);
}

static void print_json(FILE *json, const line *l, bool first)
{
    fprintf(json,
            "%s\n  {\"net\": \"%s\", \"threads\": %d, \"statistics\": \"%s\", \"rille\": %.6g, \"pytorch\": %.6g, "
            "\"rille_bytes\": %.0f, \"pytorch_bytes\": %.0f, \"gradients_off\": %.3g, \"load\": %.2f}",
            first ? "" : ",", l->net->name, l->threads, statistics_name[l->statistics], l->median[RILLE], l->median[PYTORCH],
            l->bytes[RILLE], l->bytes[PYTORCH], l->off, l->load);
}

static void start(peer *peers, const char *python, const char *rille)
{
    peer_start(&peers[RILLE], (const char *[]){rille, "tests/bench/train/rille.lua", NULL});
    peer_start(&peers[PYTORCH], (const char *[]){python, "tests/bench/train/pytorch.py", NULL});
}

static void print_head(const peer *peers)
{
    const char *core = getenv("OPENBLAS_CORETYPE");
    printf("%s, %s%s%s\n", peers[RILLE].name, peers[PYTORCH].name,
           core == NULL ? "" : ", OPENBLAS_CORETYPE=", core == NULL ? "" : core);
    printf("float32, milliseconds a step: of the processor with one thread, of the clock with two.\n"
           "ratio: PyTorch's / Rille's; goal: what it is to be; floor: milliseconds of the arithmetic alone, about.\n"
           "MB: resident at most, beyond what was before the net was made. off: how far the gradients are from each other.\n\n"
           "%-38s %7s %10s %9s %9s %6s %5s %6s %8s %8s %8s %6s\n",
           "net", "threads", "statistics", "Rille", "PyTorch", "ratio", "goal", "floor", "MB", "MB", "off", "load");
}

int main(int argc, char **argv)
{
    char path[ANSWER_SIZE];
    if (argc != 4) {
        fprintf(stderr, "usage: %s FOLDER PYTHON RILLE\n", argv[0]);
        return 2;
    }
    snprintf(path, sizeof path, "%s/train.json", argv[1]);
    FILE *json = fopen(path, "w");
    if (json == NULL) {
        fprintf(stderr, "bench: %s cannot be written\n", path);
        return 1;
    }
    const char *only = getenv("ONLY");
    int done = 0, failed = 0;
    fputc('[', json);
    for (size_t i = 0; i < 2 * STATISTICS * sizeof nets / sizeof *nets; i++) {
        line l = {.net = &nets[i / (2 * STATISTICS)], .threads = 1 + (int)(i & 1), .statistics = (int)(i / 2 % STATISTICS)};
        peer peers[BOTH];
        if (only != NULL && strstr(l.net->name, only) == NULL)
            continue;
        start(peers, argv[2], argv[3]);
        if (done + failed == 0)
            print_head(peers);
        const bool fine = measure(peers, &l, argv[1]);
        for (int who = 0; who < BOTH; who++)
            peer_stop(&peers[who]);
        failed += !fine;
        if (!fine)
            continue;
        print_line(&l);
        print_json(json, &l, done++ == 0);
    }
    fputs("\n]\n", json);
    printf("\nThe same figures as JSON: %s\n", path);
    return fclose(json) == 0 && failed == 0 && done > 0 ? 0 : 1;
}
