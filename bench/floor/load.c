// What loads the echo servers: one thread around epoll.
//
//     load closed PORT CONNECTIONS SIZE SECONDS        each connection sends, waits for its echo, sends again
//     load open   PORT CONNECTIONS SIZE SECONDS RATE   RATE messages a second whether or not the echoes keep up; a
//                                                      message's latency counts from when it was due
//     load hold   PORT CONNECTIONS SIZE                connects, one echo each, and then nothing
//
// Each connection has had one echo when "ready" is printed; a line on standard input begins the work, or ends the hold.
// Prints "OPERATIONS SECONDS P50 P99 P999", the latencies in microseconds.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES (1 << 22)
#define MAX_PENDING 4096

struct connection {
  int fd;
  size_t to_write, to_read;
  // When the messages under way were due, oldest first (open), or when the one was sent (closed).
  double *due;
  unsigned first, pending;
};

static size_t size;
static char *message, *rubbish;
static float *samples;
static size_t sampled, operations;

static void fail(const char *what) {
  fprintf(stderr, "load: error: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static int connected(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0) fail("socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void write_on(struct connection *c) {
  while (c->to_write) {
    size_t chunk = c->to_write % size ? c->to_write % size : size;
    ssize_t done = send(c->fd, message, chunk, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done < 0 && errno == EAGAIN) return;
    if (done <= 0) fail("send");
    c->to_write -= (size_t)done;
  }
}

static void post(struct connection *c, double due) {
  if (c->pending == MAX_PENDING) fail("the server does not keep up at all");
  c->due[(c->first + c->pending++) % MAX_PENDING] = due;
  c->to_write += size;
  c->to_read += size;
  write_on(c);
}

// Returns how many echoes have come whole.
static int read_on(struct connection *c) {
  int whole = 0;
  ssize_t got = recv(c->fd, rubbish, 1 << 18, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got <= 0) fail("recv: the server hung up");
  c->to_read -= (size_t)got;
  double time = now();
  while (c->pending && c->to_read <= (c->pending - 1) * size) {
    if (sampled < MAX_SAMPLES) samples[sampled++] = (float)((time - c->due[c->first]) * 1e6);
    c->first = (c->first + 1) % MAX_PENDING;
    c->pending--;
    whole++;
  }
  operations += (size_t)whole;
  return whole;
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static double quantile(double q) { return sampled ? samples[(size_t)((double)(sampled - 1) * q)] : 0; }

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "load: error: see load.c\n");
    return 2;
  }
  int open_loop = !strcmp(argv[1], "open"), hold = !strcmp(argv[1], "hold");
  int port = atoi(argv[2]), count = atoi(argv[3]);
  size = (size_t)atol(argv[4]);
  double seconds = argc > 5 ? atof(argv[5]) : 0, rate = argc > 6 ? atof(argv[6]) : 0;

  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  message = malloc(size);
  memset(message, 'x', size);
  rubbish = malloc(1 << 18);
  samples = hold ? NULL : malloc(MAX_SAMPLES * sizeof *samples);

  struct connection *all = calloc((size_t)count, sizeof *all);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < count; i++) {
    all[i].fd = connected(port);
    for (size_t sent = 0, got = 0; got < size;) {
      ssize_t done = sent < size ? send(all[i].fd, message + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
      if (done > 0) sent += (size_t)done;
      done = recv(all[i].fd, rubbish, size, sent < size ? MSG_DONTWAIT : 0);
      if (done == 0 || (done < 0 && errno != EAGAIN)) fail("first echo");
      if (done > 0) got += (size_t)done;
    }
    if (hold) continue;
    all[i].due = malloc(MAX_PENDING * sizeof *all[i].due);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event)) fail("epoll_ctl");
  }

  char line[16];
  puts("ready");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) return 0;
  if (hold) return 0;

  double start = now(), end = start + seconds;
  size_t posted = 0;
  if (!open_loop)
    for (int i = 0; i < count; i++) post(&all[i], now());
  static struct epoll_event events[1024];
  for (double time = start; time < end; time = now()) {
    int timeout = 100;
    if (open_loop) {
      while (start + (double)posted / rate <= time) {
        post(&all[posted % (size_t)count], start + (double)posted / rate);
        posted++;
      }
      timeout = 0; // it has a core of its own: sleeping would be late
    }
    int found = epoll_wait(poller, events, 1024, timeout);
    for (int i = 0; i < found; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) write_on(c);
      if (!(events[i].events & EPOLLIN)) continue;
      // Edge-triggered: until there is no more.
      for (size_t before = c->to_read + 1; c->to_read && c->to_read < before;) {
        before = c->to_read;
        if (read_on(c) && !open_loop) {
          post(c, now());
          before = c->to_read + 1;
        }
      }
    }
  }
  double took = now() - start;
  qsort(samples, sampled, sizeof *samples, ascending);
  printf("%zu %.6f %.1f %.1f %.1f\n", operations, took, quantile(0.5), quantile(0.99), quantile(0.999));
  fflush(stdout);
  // What the server has used is looked at while the connections are there.
  while (fgets(line, sizeof line, stdin)) {}
  return 0;
}
