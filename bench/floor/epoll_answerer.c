// The floor of bench/em: HTTP answered with keep-alive by a plain loop around epoll. Level-triggered, one read a
// readiness, one write a request; what is not written at once ends the connection, which no answer this short meets.
//
//     epoll_answerer [COUNT]
//
// Prints the port it listens on, and "all" once COUNT connections have been accepted.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 1024
#define HEAD_END "\r\n\r\n"

static const char RESPONSE[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";

struct connection {
  int fd;
  size_t length;
  char buffer[4096];
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int listener(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
  socklen_t length = sizeof address;
  if (fd < 0) fail("socket");
  // Accepted connections inherit it.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 1024)) fail("listen");
  getsockname(fd, (struct sockaddr *)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void watch(int poller, int fd, struct connection *connection) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

// Returns how many there were.
static long accept_all(int poller, int server) {
  long count = 0;
  int fd;
  while ((fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct connection *connection = malloc(sizeof *connection);
    if (!connection) fail("malloc");
    connection->fd = fd;
    connection->length = 0;
    watch(poller, fd, connection);
    count++;
  }
  return count;
}

// Returns 0 when the connection is over.
static int answer(struct connection *connection) {
  ssize_t got = read(connection->fd, connection->buffer + connection->length, sizeof connection->buffer - connection->length);
  if (got <= 0) return 0;
  connection->length += (size_t)got;

  char *end;
  while ((end = memmem(connection->buffer, connection->length, HEAD_END, sizeof HEAD_END - 1))) {
    size_t used = (size_t)(end - connection->buffer) + sizeof HEAD_END - 1;
    connection->length -= used;
    memmove(connection->buffer, connection->buffer + used, connection->length);
    if (write(connection->fd, RESPONSE, sizeof RESPONSE - 1) != (ssize_t)sizeof RESPONSE - 1) return 0;
  }
  return connection->length < sizeof connection->buffer;
}

int main(int argc, char **argv) {
  long awaited = argc > 1 ? atol(argv[1]) : 0, accepted = 0;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  if (awaited + 100 > (long)files.rlim_cur) {
    files.rlim_cur = (rlim_t)awaited + 100;
    if (files.rlim_max < files.rlim_cur) files.rlim_max = files.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &files)) fail("setrlimit");
  }

  int server = listener(), poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) fail("epoll_create1");
  watch(poller, server, NULL);

  static struct epoll_event events[EVENTS];
  for (;;) {
    int count = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (!connection) {
        long before = accepted;
        accepted += accept_all(poller, server);
        if (before < awaited && accepted >= awaited) {
          puts("all");
          fflush(stdout);
        }
      } else if (!answer(connection)) {
        close(connection->fd);
        free(connection);
      }
    }
  }
}
