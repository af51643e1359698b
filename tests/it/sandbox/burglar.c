// A library that tries, from inside the server, what somebody would who has taken it over. Each act is a
// line on standard error: its name, then `done` or the name of the error.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char * act, long result) {
    fprintf(stderr, "burglar: %s: %s\n", act, result < 0 ? strerrorname_np(errno) : "done");
}

static int open_named(const char * variable, int flags) {
    const char * path = getenv(variable);
    return path ? open(path, flags, 0600) : (errno = EINVAL, -1);
}

static int tcp(int port, int is_server) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    return is_server ? bind(s, (void *) &to, sizeof to) : connect(s, (void *) &to, sizeof to);
}

static int abstract_socket(void) {
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    strncpy(to.sun_path + 1, getenv("BURGLAR_ABSTRACT"), sizeof to.sun_path - 2);
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(to.sun_path + 1);
    return connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *) &to, size);
}

static int in_child(int (*act)(void)) {
    pid_t child = fork();
    if (child == 0) { _exit(act() < 0 ? errno : 0); }
    int status = 0;
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
}

static int run_true(void) {
    close(2);
    return execl("/bin/true", "true", (char *) 0);
}
static int traced(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0); }
static int own_user(void) { return unshare(CLONE_NEWUSER); }
static int cloned(void) {
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) { _exit(0); }
    return child < 0 ? -1 : 0;
}
static int typed(void) {
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    char c = 'x';
    return ioctl(master, TIOCSTI, &c);
}

static void * nothing(void * unused) { return unused; }

__attribute__((constructor)) static void burgle(void) {
    say("read the model", open_named("BURGLAR_MODEL", O_RDONLY));
    say("read a secret", open_named("BURGLAR_SECRET", O_RDONLY));
    say("change a secret", open_named("BURGLAR_SECRET", O_WRONLY));
    say("make a file", open_named("BURGLAR_NEW", O_WRONLY | O_CREAT));
    say("read the users' passwords", open("/etc/shadow", O_RDONLY));
    say("connect to a port", tcp(atoi(getenv("BURGLAR_PORT")), 0));
    say("listen on a port", tcp(0, 1));
    say("connect to an abstract socket", abstract_socket());
    say("signal the parent", kill(getppid(), 0));
    say("run a program", in_child(run_true));
    say("be traced", in_child(traced));
    say("make a namespace", in_child(own_user));
    say("clone into a namespace", in_child(cloned));
    say("open a netlink socket of audit", socket(AF_NETLINK, SOCK_RAW, 9));
    say("open a netlink socket of routes", socket(AF_NETLINK, SOCK_RAW, 0));
    say("open a raw socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    say("type into a terminal", in_child(typed));
    say("ask for an io_uring", syscall(SYS_io_uring_setup, 0, 0));
    pthread_t thread;
    errno = pthread_create(&thread, 0, nothing, 0);
    say("start a thread", errno ? -1 : 0);
}
