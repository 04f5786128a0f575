/* In place of the C library's execve, for programs under qemu-user: the processes that Criterion starts, one for each test,
 * are given to the emulator again, since the kernel cannot run them. EMULATOR is its path. */
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_ARGUMENTS = 60 };

__attribute__((visibility("default"))) int execve(const char *path, char *const argv[], char *const envp[])
{
    const char *words[MOST_ARGUMENTS + 5] = {EMULATOR, "-0", argv[0], path};
    for (int i = 1; i < MOST_ARGUMENTS && argv[i] != NULL; i++)
        words[3 + i] = argv[i];
    return (int)syscall(SYS_execve, EMULATOR, words, envp);
}
