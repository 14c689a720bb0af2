// A floor: a plain loop around epoll, level-triggered, one read a readiness, and a write at once.
//
//     epoll http PORT    answers each head with a constant response, with keep-alive
//     epoll echo PORT    sends back what comes

#define _GNU_SOURCE
#include "serve.h"
#include <sys/epoll.h>

#define EVENTS 1024

struct connection {
  int fd;
  // Of an answerer: what has come of a head. Of an echo: what could not be written yet.
  size_t length;
  char *buffer;
};

static int poller;
static char chunk[CHUNK];

static void watch(int fd, struct connection *connection, int operation, unsigned what) {
  struct epoll_event event = {.events = what, .data.ptr = connection};
  if (epoll_ctl(poller, operation, fd, &event)) fail("epoll_ctl");
}

static void accept_all(int server, size_t room) {
  int fd;
  while ((fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct connection *connection = malloc(sizeof *connection);
    if (!connection) fail("malloc");
    *connection = (struct connection){.fd = fd, .buffer = room ? malloc(room) : NULL};
    watch(fd, connection, EPOLL_CTL_ADD, EPOLLIN);
  }
}

// Both return 0 when the connection is over.
static int answer(struct connection *connection) {
  ssize_t got = read(connection->fd, connection->buffer + connection->length, 4096 - connection->length);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  connection->length += (size_t)got;

  char *end;
  while ((end = memmem(connection->buffer, connection->length, HEAD_END, sizeof HEAD_END - 1))) {
    size_t used = (size_t)(end - connection->buffer) + sizeof HEAD_END - 1;
    connection->length -= used;
    memmove(connection->buffer, connection->buffer + used, connection->length);
    // No answer this short meets a full socket.
    if (write(connection->fd, RESPONSE, sizeof RESPONSE - 1) != (ssize_t)sizeof RESPONSE - 1) return 0;
  }
  return connection->length < 4096;
}

static int echo(struct connection *connection) {
  int held = connection->length > 0;
  char *from = held ? connection->buffer : chunk;
  ssize_t got = held ? (ssize_t)connection->length : read(connection->fd, chunk, CHUNK);
  if (got <= 0) return got < 0 && errno == EAGAIN;

  ssize_t done = write(connection->fd, from, (size_t)got);
  if (done < 0 && errno != EAGAIN) return 0;
  if (done < 0) done = 0;
  connection->length = (size_t)(got - done);
  if (connection->length) {
    // Nothing more is read until this has gone.
    char *rest = malloc(connection->length);
    memcpy(rest, from + done, connection->length);
    free(connection->buffer);
    connection->buffer = rest;
    if (!held) watch(connection->fd, connection, EPOLL_CTL_MOD, EPOLLOUT);
  } else if (held) {
    watch(connection->fd, connection, EPOLL_CTL_MOD, EPOLLIN);
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int http = !strcmp(argv[1], "http");
  int server = listener(argv[2], SOCK_NONBLOCK);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) fail("epoll_create1");
  watch(server, NULL, EPOLL_CTL_ADD, EPOLLIN);

  static struct epoll_event events[EVENTS];
  for (;;) {
    int count = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (!connection) {
        accept_all(server, http ? 4096 : 0);
      } else if (!(http ? answer(connection) : echo(connection))) {
        close(connection->fd);
        free(connection->buffer);
        free(connection);
      }
    }
  }
}
