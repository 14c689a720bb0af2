// A floor: io_uring as it was found to be cheapest. Multishot accept, multishot receive from provided buffers, and sends
// that leave with the next wait.
//
//     uring http PORT    answers each head with a constant response, with keep-alive
//     uring echo PORT    sends back what comes

#define _GNU_SOURCE
#include "serve.h"
#include <liburing.h>

#define ENTRIES 4096
#define BUFFERS 1024
#define GROUP 1

enum { ACCEPT, RECEIVE, SEND };

struct connection {
  int fd, over, sending;
  // Of a head that has not ended yet: how many bytes of HEAD_END it ends with.
  int matched;
  // Of an echo: what is being sent, and what waits behind it.
  char *out, *next;
  size_t out_length, out_done, next_length;
};

static struct io_uring ring;
static struct io_uring_buf_ring *group;
static char *pool;
static size_t room;
static int http;

static struct io_uring_sqe *entry(void) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
  if (!sqe) {
    io_uring_submit(&ring);
    sqe = io_uring_get_sqe(&ring);
  }
  return sqe;
}

static void tag(struct io_uring_sqe *sqe, struct connection *connection, unsigned what) {
  io_uring_sqe_set_data64(sqe, (unsigned long long)(uintptr_t)connection | what);
}

static void receive(struct connection *connection) {
  struct io_uring_sqe *sqe = entry();
  io_uring_prep_recv_multishot(sqe, connection->fd, NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = GROUP;
  tag(sqe, connection, RECEIVE);
}

static void send_bytes(struct connection *connection, const void *bytes, size_t length) {
  struct io_uring_sqe *sqe = entry();
  io_uring_prep_send(sqe, connection->fd, bytes, length, MSG_WAITALL | MSG_NOSIGNAL);
  tag(sqe, connection, SEND);
  connection->sending++;
}

static void give_back(unsigned id) {
  io_uring_buf_ring_add(group, pool + id * room, (unsigned)room, (unsigned short)id, io_uring_buf_ring_mask(BUFFERS), 0);
  io_uring_buf_ring_advance(group, 1);
}

static void answer(struct connection *connection, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == HEAD_END[connection->matched]) connection->matched++;
    else connection->matched = bytes[i] == '\r';
    if (connection->matched < (int)sizeof HEAD_END - 1) continue;
    connection->matched = 0;
    send_bytes(connection, RESPONSE, sizeof RESPONSE - 1);
  }
}

static void echo(struct connection *connection, const char *bytes, size_t length) {
  connection->next = realloc(connection->next, connection->next_length + length);
  memcpy(connection->next + connection->next_length, bytes, length);
  connection->next_length += length;
  if (connection->out_length) return;
  char *empty = connection->out;
  connection->out = connection->next;
  connection->out_length = connection->next_length;
  connection->next = empty;
  connection->next_length = connection->out_done = 0;
  send_bytes(connection, connection->out, connection->out_length);
}

static void sent(struct connection *connection, int count) {
  connection->sending--;
  if (http || count <= 0) return;
  connection->out_done += (size_t)count;
  if (connection->out_done < connection->out_length) {
    send_bytes(connection, connection->out + connection->out_done, connection->out_length - connection->out_done);
    return;
  }
  connection->out_length = 0;
  if (connection->next_length) echo(connection, NULL, 0);
}

static void done(struct io_uring_cqe *cqe, int server) {
  unsigned long long data = cqe->user_data;
  struct connection *connection = (struct connection *)(uintptr_t)(data & ~7ULL);
  switch (data & 7) {
  case ACCEPT:
    if (cqe->res >= 0) {
      connection = calloc(1, sizeof *connection);
      connection->fd = cqe->res;
      receive(connection);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
      struct io_uring_sqe *sqe = entry();
      io_uring_prep_multishot_accept(sqe, server, NULL, NULL, SOCK_CLOEXEC);
      tag(sqe, NULL, ACCEPT);
    }
    return;
  case RECEIVE:
    if (cqe->flags & IORING_CQE_F_BUFFER) {
      unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
      if (cqe->res > 0) (http ? answer : echo)(connection, pool + id * room, (size_t)cqe->res);
      give_back(id);
    }
    if (cqe->flags & IORING_CQE_F_MORE) return;
    if (cqe->res > 0 || cqe->res == -ENOBUFS) {
      receive(connection);
      return;
    }
    connection->over = 1;
    break;
  case SEND:
    sent(connection, cqe->res);
    break;
  }
  if (connection->over && !connection->sending) {
    close(connection->fd);
    free(connection->out);
    free(connection->next);
    free(connection);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  http = !strcmp(argv[1], "http");
  room = http ? 4096 : CHUNK;
  int server = listener(argv[2], 0);

  struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                                            IORING_SETUP_CQSIZE,
                                   .cq_entries = 16 * ENTRIES};
  errno = -io_uring_queue_init_params(ENTRIES, &ring, &params);
  if (errno) fail("io_uring_queue_init_params");
  if (posix_memalign((void **)&group, 4096, BUFFERS * sizeof(struct io_uring_buf))) fail("posix_memalign");
  struct io_uring_buf_reg registration = {.ring_addr = (unsigned long long)(uintptr_t)group, .ring_entries = BUFFERS, .bgid = GROUP};
  errno = -io_uring_register_buf_ring(&ring, &registration, 0);
  if (errno) fail("io_uring_register_buf_ring");
  io_uring_buf_ring_init(group);
  pool = malloc(BUFFERS * room);
  for (unsigned id = 0; id < BUFFERS; id++) give_back(id);

  struct io_uring_sqe *sqe = entry();
  io_uring_prep_multishot_accept(sqe, server, NULL, NULL, SOCK_CLOEXEC);
  tag(sqe, NULL, ACCEPT);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      count++;
      done(cqe, server);
    }
    io_uring_cq_advance(&ring, count);
  }
}
