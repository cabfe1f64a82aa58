/* The floor: the least that a supervisor can do, without any of what makes one useful.
 *
 *     floor COUNT FIFO PROGRAM [ARGUMENT...]
 *
 * Starts COUNT children by vfork and execve, each as PROGRAM ARGUMENT... FIFO INDEX, sleeps in epoll on
 * their pidfds and starts each one again the moment it ends. No configuration, no logs, no sessions, no
 * state, no back-off, no interface. Every other number is shown as a multiple of what this program needs.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int epoll;

static void start(int index, int *pidfds, char **command, char *index_word)
{
    sprintf(index_word, "%d", index);
    pid_t child = vfork();
    if (child == 0) {
        execve(command[0], command, environ);
        _exit(127);
    }
    if (child < 0)
        err(1, "cannot start child %d", index);
    pidfds[index] = (int)syscall(SYS_pidfd_open, child, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)index};
    if (pidfds[index] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, pidfds[index], &event) < 0)
        err(1, "cannot watch child %d", index);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        errx(2, "usage: floor COUNT FIFO PROGRAM [ARGUMENT...]");
    int count = atoi(argv[1]);
    int *pidfds = calloc((size_t)count, sizeof *pidfds);
    char **command = calloc((size_t)argc, sizeof *command);
    char index_word[16];
    if (!pidfds || !command)
        err(1, "cannot allocate");
    int words = 0;
    for (int i = 3; i < argc; i++)
        command[words++] = argv[i];
    command[words++] = argv[2];
    command[words++] = index_word;

    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int index = 0; index < count; index++)
        start(index, pidfds, command, index_word);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int index = (int)events[i].data.u32;
            siginfo_t ended;
            if (waitid(P_PIDFD, (id_t)pidfds[index], &ended, WEXITED) < 0)
                err(1, "cannot reap child %d", index);
            close(pidfds[index]);
            start(index, pidfds, command, index_word);
        }
    }
}
