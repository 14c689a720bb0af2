// A language model as seen from outside, in plain C on epoll, so that nothing of what is measured is part of it: every
// POST is answered by TOKENS server-sent events of about 200 bytes, one every MILLISECONDS, each with the time at which
// it was due (nanoseconds of CLOCK_MONOTONIC, which is the same in all processes).
//
//     server TOKENS MILLISECONDS      writes the port it listens on, and ends with its standard input

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STREAMS 65536

static const char HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";

static int tokens;
static int64_t pause_ns;

// All streams have the same pause, so who was served last is due last: a queue will do, with one entry a stream.
static struct { int fd; int sent; int64_t due; } queue[STREAMS];
static uint32_t head, tail;

static void push(int fd, int sent, int64_t due) {
    if (tail - head == STREAMS) exit(3);
    queue[tail % STREAMS].fd = fd;
    queue[tail % STREAMS].sent = sent;
    queue[tail++ % STREAMS].due = due;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// Sends the token that is due. A socket that takes no 200 bytes belongs to nobody who is measured.
static void serve(int fd, int sent, int64_t due) {
    char event[512], chunk[600];
    int size = snprintf(event, sizeof event,
                        "data: {\"due\":%lld,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"token%d \"},"
                        "\"finish_reason\":null}],\"object\":\"chat.completion.chunk\",\"model\":\"none\",\"padding\":"
                        "\"..............................\"}\n\n",
                        (long long)due, sent);
    size = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", size, event);
    if (sent + 1 == tokens) {
        static const char END[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
        memcpy(chunk + size, END, sizeof END - 1);
        size += sizeof END - 1;
    }
    bool all = send(fd, chunk, size, MSG_NOSIGNAL) == size;
    if (all && sent + 1 < tokens) push(fd, sent + 1, due + pause_ns);
    else close(fd);
}

static void answer(int epoll, int fd) {
    char request[4096];
    ssize_t size = recv(fd, request, sizeof request, MSG_PEEK);
    if (size < 0 && errno == EAGAIN) return;
    char *body = size > 0 ? memmem(request, size, "\r\n\r\n", 4) : NULL;
    if (size > 0 && !body && size < (ssize_t)sizeof request) return;
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    while (recv(fd, request, sizeof request, 0) > 0) {}
    if (!body || send(fd, HEAD, sizeof HEAD - 1, MSG_NOSIGNAL) < 0) {
        close(fd);
        return;
    }
    push(fd, 0, now() + pause_ns);
}

int main(int count, char **words) {
    if (count < 3) return 2;
    tokens = atoi(words[1]);
    pause_ns = atoi(words[2]) * 1000000LL;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (void *)&address, length) || listen(listener, 8192)) return 1;
    getsockname(listener, (void *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    event = (struct epoll_event){.events = EPOLLIN, .data.fd = 0};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);

    for (;;) {
        struct epoll_event ready[256];
        struct timespec wait = {1, 0};
        if (head != tail) {
            int64_t left = queue[head % STREAMS].due - now();
            if (left < 0) left = 0;
            wait = (struct timespec){left / 1000000000, left % 1000000000};
        }
        int found = epoll_pwait2(epoll, ready, 256, &wait, NULL);
        for (int i = 0; i < found; i++) {
            if (ready[i].data.fd == 0) return 0;
            if (ready[i].data.fd != listener) {
                answer(epoll, ready[i].data.fd);
                continue;
            }
            int fd;
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
            }
        }
        while (head != tail && queue[head % STREAMS].due <= now()) {
            int fd = queue[head % STREAMS].fd, sent = queue[head % STREAMS].sent;
            int64_t due = queue[head++ % STREAMS].due;
            serve(fd, sent, due);
        }
    }
}
