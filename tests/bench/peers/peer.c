#include "bench/peers/peer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(const char *const command[], int input, int output)
{
    char *arguments[16] = {NULL};
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    for (int i = 0; i < 15 && command[i] != NULL; i++)
        arguments[i] = strdup(command[i]);
    if (arguments[0] != NULL)
        execvp(arguments[0], arguments);
    _exit(127);
}

void peer_start(peer *p, const char *const command[])
{
    int request[2], answer[2];
    char name[ANSWER_SIZE];
    memset(p, 0, sizeof *p);
    signal(SIGPIPE, SIG_IGN);
    if (pipe(request) != 0 || pipe(answer) != 0 || (p->process = fork()) < 0)
        return;
    if (p->process == 0) {
        close(request[1]);
        close(answer[0]);
        become(command, request[0], answer[1]);
    }
    close(request[0]);
    close(answer[1]);
    fcntl(request[1], F_SETFD, FD_CLOEXEC); /* a peer that is started later would keep this one's input open */
    fcntl(answer[0], F_SETFD, FD_CLOEXEC);
    p->to = fdopen(request[1], "w");
    p->from = fdopen(answer[0], "r");
    snprintf(p->name, sizeof p->name, "%s", command[0]);
    if (peer_ask(p, name, "name"))
        snprintf(p->name, sizeof p->name, "%.63s", name);
}

void peer_stop(peer *p)
{
    if (p->to != NULL)
        fclose(p->to);
    if (p->from != NULL)
        fclose(p->from);
    if (p->process > 0)
        waitpid(p->process, NULL, 0);
    memset(p, 0, sizeof *p);
}

bool peer_ask(peer *p, char answer[ANSWER_SIZE], const char *format, ...)
{
    if (p->to == NULL || p->from == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(p->to, format, arguments);
    va_end(arguments);
    if (fputc('\n', p->to) == EOF || fflush(p->to) != 0 || fgets(answer, ANSWER_SIZE, p->from) == NULL) {
        fprintf(stderr, "bench: %s has ended\n", p->name);
        peer_stop(p);
        return false;
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    return true;
}
