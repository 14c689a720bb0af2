// What a language model looks like from outside: answers each POST with so many server-sent events, one every so many
// milliseconds, each with the time at which it was sent (CLOCK_MONOTONIC, in µs), and hangs up.
//
//     tokens COUNT MILLISECONDS PORT
//
// As all pauses are equal, the events that are due form a queue, and no timer is needed.

#define _GNU_SOURCE
#include "serve.h"
#include <stdint.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>

#define EVENTS 1024
#define REQUEST 4096

static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
static const char DONE[] = "data: [DONE]\n\n";

struct stream {
  // -1 once the client has gone.
  int fd;
  // What has come of the request, until it is answered.
  size_t length;
  int answered;
  int sent;
  // When the next event is due.
  int64_t due;
  struct stream *next;
  char request[REQUEST + 1];
};

static int poller, count;
static int64_t interval;
static struct stream *first, **last = &first;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static void wait_for_next(struct stream *stream) {
  stream->due = now() + interval;
  stream->next = NULL;
  *last = stream;
  last = &stream->next;
}

// Whether all of it was taken: an answer is small enough for its socket.
static int say(struct stream *stream, const char *text, size_t length) {
  return write(stream->fd, text, length) == (ssize_t)length;
}

static void leave(struct stream *stream) {
  close(stream->fd);
  stream->fd = -1;
}

static void accept_all(int server) {
  int fd;
  while ((fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) fail("calloc");
    stream->fd = fd;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = stream};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
  }
}

static int complete(const struct stream *stream) {
  const char *end = strstr(stream->request, HEAD_END);
  if (!end) return 0;
  const char *length = strcasestr(stream->request, "content-length:");
  size_t body = length && length < end ? (size_t)atol(length + sizeof "content-length:" - 1) : 0;
  return stream->length >= (size_t)(end - stream->request) + sizeof HEAD_END - 1 + body;
}

static void receive(struct stream *stream) {
  ssize_t got = read(stream->fd, stream->request + stream->length, REQUEST - stream->length);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || stream->answered) {
    leave(stream);
    // One that waits for its next event is freed when that is due.
    if (!stream->answered) free(stream);
    return;
  }
  stream->length += (size_t)got;
  stream->request[stream->length] = 0;
  if (!complete(stream)) return;

  stream->answered = 1;
  if (say(stream, HEAD, sizeof HEAD - 1)) return wait_for_next(stream);
  leave(stream);
  free(stream);
}

static void send_event(struct stream *stream) {
  char text[256];
  int length = snprintf(text, sizeof text,
                        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"sent\":%lld,"
                        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"token %d \"},\"finish_reason\":null}]}\n\n",
                        (long long)now(), stream->sent);
  if (stream->fd >= 0 && say(stream, text, (size_t)length) && ++stream->sent < count) return wait_for_next(stream);

  if (stream->fd >= 0) {
    say(stream, DONE, sizeof DONE - 1);
    leave(stream);
  }
  free(stream);
}

static void send_what_is_due(void) {
  while (first && first->due <= now()) {
    struct stream *stream = first;
    first = stream->next;
    if (!first) last = &first;
    send_event(stream);
  }
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  count = atoi(argv[1]);
  interval = atoi(argv[2]) * 1000LL;
  int server = listener(argv[3], SOCK_NONBLOCK);
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, server, &event)) fail("epoll");

  for (;;) {
    int64_t left = first ? first->due - now() : -1;
    int happened = epoll_wait(poller, events, EVENTS, first ? (left > 0 ? (int)((left + 999) / 1000) : 0) : -1);
    if (happened < 0 && errno != EINTR) fail("epoll_wait");
    for (int index = 0; index < happened; index++) {
      struct stream *stream = events[index].data.ptr;
      if (stream) receive(stream);
      else accept_all(server);
    }
    send_what_is_due();
  }
}
