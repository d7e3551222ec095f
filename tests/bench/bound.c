// bound: the least that an iSCSI target can do, as the upper bound of what this machine and this initiator allow.
//
// One thread, epoll, all replies to what one read brought in leave in one write. READ data comes from one fixed buffer,
// WRITE data is thrown away, nothing is checked: a target that does its work cannot be faster.
//
// With a FILE it also moves the bytes: pread, pwrite, and one fdatasync for all who ask for it in one turn of the loop.
// That is the least that a target of one thread can do.
//
// Usage: bound PORT SIZE_BYTES [FILE]  serves iqn.2026-11.bench:bound, LUN 0, on 127.0.0.1 until it is killed
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 48, SEGMENT_MAX = 262144, RECEIVE_BYTES = 4 << 20, SEND_LIMIT = 1 << 20, WRITES_MAX = 256, FLUSHES_MAX = 1024 };

typedef struct { uint32_t itt, wanted, received; uint64_t start; } Write;
typedef struct {
  int fd;
  uint8_t *in, *out;
  size_t inStart, inEnd, outLength, outCapacity;
  uint32_t statSN, expCmdSN;
  Write writes[WRITES_MAX];
} Connection;

typedef struct { Connection *connection; uint32_t itt; } Flush;

static uint64_t sizeBytes;
static int file = -1;
static Flush flushes[FLUSHES_MAX];
static int flushCount;
static uint8_t content[SEGMENT_MAX];

static uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return ntohl(v); }
static void put32(uint8_t *p, uint32_t v) { v = htonl(v); memcpy(p, &v, 4); }
static uint32_t padded(uint32_t n) { return (n + 3) & ~3u; }

static int sendAll(Connection *c) {
  for (size_t sent = 0; sent < c->outLength;) {
    ssize_t n = write(c->fd, c->out + sent, c->outLength - sent);
    if (n <= 0) return -1;
    sent += n;
  }
  c->outLength = 0;
  return 0;
}

static uint8_t *reply(Connection *c, uint8_t opcode, uint8_t flags, uint32_t itt, uint32_t dataBytes) {
  size_t need = HEADER + padded(dataBytes);
  if (c->outLength + need > c->outCapacity) c->out = realloc(c->out, c->outCapacity = (c->outLength + need) * 2);
  uint8_t *h = c->out + c->outLength;
  memset(h, 0, HEADER);
  h[0] = opcode; h[1] = flags; h[5] = dataBytes >> 16; h[6] = dataBytes >> 8; h[7] = dataBytes;
  put32(h + 16, itt); put32(h + 28, c->expCmdSN); put32(h + 32, c->expCmdSN + 127);
  c->outLength += need;
  return h;
}

static void withStatus(Connection *c, uint8_t *h) { put32(h + 24, c->statSN++); }
static void good(Connection *c, uint32_t itt) { withStatus(c, reply(c, 0x21, 0x80, itt, 0)); }

static void fill(uint8_t *into, uint32_t length, uint64_t start) {
  if (file < 0) memcpy(into, content, length);
  else if (pread(file, into, length, start) != length) abort();
}

static void take(const uint8_t *from, uint32_t length, uint64_t start) {
  if (file >= 0 && length > 0 && pwrite(file, from, length, start) != length) abort();
}

static void flush(Connection *c, uint32_t itt) {
  if (file < 0 || flushCount == FLUSHES_MAX) good(c, itt);
  else flushes[flushCount++] = (Flush){c, itt};
}

static void flushAll(void) {
  if (flushCount == 0) return;
  if (fdatasync(file)) abort();
  for (int i = 0; i < flushCount; i++) {
    good(flushes[i].connection, flushes[i].itt);
    sendAll(flushes[i].connection);
  }
  flushCount = 0;
}

// Data of the medium from `start`, unless `data` is something else.
static void dataIn(Connection *c, uint32_t itt, const uint8_t *data, uint64_t start, uint32_t total) {
  for (uint32_t offset = 0, sn = 0; offset < total; sn++) {
    uint32_t n = total - offset < SEGMENT_MAX ? total - offset : SEGMENT_MAX;
    int isLast = offset + n == total;
    uint8_t *h = reply(c, 0x25, isLast ? 0x81 : 0, itt, n);
    if (data) memcpy(h + HEADER, data, n); else fill(h + HEADER, n, start + offset);
    put32(h + 20, ~0u); put32(h + 36, sn); put32(h + 40, offset);
    if (isLast) withStatus(c, h);
    offset += n;
    if (c->outLength > SEND_LIMIT && sendAll(c)) return;
  }
}

static void readyToTransfer(Connection *c, const Write *w) {
  uint8_t *h = reply(c, 0x31, 0x80, w->itt, 0);
  put32(h + 20, w->itt); put32(h + 24, c->statSN); put32(h + 40, w->received); put32(h + 44, w->wanted - w->received);
}

static void beginWrite(Connection *c, uint32_t itt, uint64_t start, uint32_t wanted, const uint8_t *h, uint32_t immediate) {
  take(h + HEADER, immediate, start);
  if (immediate == wanted) { good(c, itt); return; }
  for (Write *w = c->writes; w < c->writes + WRITES_MAX; w++) {
    if (w->wanted) continue;
    *w = (Write){itt, wanted, immediate, start};
    if (h[1] & 0x80) readyToTransfer(c, w);
    return;
  }
}

static void dataOut(Connection *c, const uint8_t *h, uint32_t length) {
  for (Write *w = c->writes; w < c->writes + WRITES_MAX; w++) {
    if (!w->wanted || w->itt != get32(h + 16)) continue;
    take(h + HEADER, length, w->start + w->received);
    w->received += length;
    if (w->received >= w->wanted) { w->wanted = 0; good(c, w->itt); }
    else if (h[1] & 0x80) readyToTransfer(c, w);
    return;
  }
}

static void scsiCommand(Connection *c, const uint8_t *h, uint32_t length) {
  const uint8_t *cdb = h + 32;
  int isLong = cdb[0] >= 0x80;
  uint32_t itt = get32(h + 16), blocks = isLong ? get32(cdb + 10) : (uint32_t)(cdb[7] << 8 | cdb[8]);
  uint64_t start = 512ull * get32(cdb + (isLong ? 6 : 2));
  if (!(h[0] & 0x40)) c->expCmdSN++;
  switch (cdb[0]) {
    case 0x28: case 0x88: dataIn(c, itt, NULL, start, blocks * 512); break;
    case 0x2a: case 0x8a: beginWrite(c, itt, start, blocks * 512, h, length); break;
    case 0x35: case 0x91: flush(c, itt); break;
    case 0x25: { uint8_t r[8]; put32(r, sizeBytes / 512 - 1); put32(r + 4, 512); dataIn(c, itt, r, 0, 8); break; }
    case 0x9e: { uint8_t r[32] = {0}; put32(r + 4, sizeBytes / 512 - 1); put32(r + 8, 512); dataIn(c, itt, r, 0, 32); break; }
    case 0x12: {
      uint8_t r[36] = {0, 0, 5, 2, 31}; memcpy(r + 8, "BENCH   BOUND           1   ", 28);
      uint32_t room = cdb[3] << 8 | cdb[4]; dataIn(c, itt, r, 0, room < 36 ? room : 36); break;
    }
    case 0xa0: { uint8_t r[16] = {0, 0, 0, 8}; dataIn(c, itt, r, 0, 16); break; }
    case 0x1a: { uint8_t r[4] = {3}; dataIn(c, itt, r, 0, 4); break; }
    default: good(c, itt);
  }
}

static void login(Connection *c, const uint8_t *h, const uint8_t *text, uint32_t length) {
  static const char *const echoed[] = {"MaxBurst", "FirstBurst", "DefaultTime2", "MaxOutstandingR2T", "ErrorRecovery",
    "DataPDUInOrder", "DataSequence", "InitialR2T", "ImmediateData"};
  char answer[2048];
  int n = 0, stage = h[1] >> 2 & 3;
  c->expCmdSN = get32(h + 24);
  if (stage == 0) n += sprintf(answer + n, "AuthMethod=None") + 1;
  else n += sprintf(answer + n, "TargetPortalGroupTag=1%cMaxRecvDataSegmentLength=%d%cMaxConnections=1", 0, SEGMENT_MAX, 0) + 1;
  for (const char *k = (const char *)text, *end = k + length; stage && k < end; k += strlen(k) + 1) {
    if (strstr(k, "Digest=")) n += sprintf(answer + n, "%.*sDigest=None", (int)(strstr(k, "Digest=") - k), k) + 1;
    for (size_t i = 0; i < sizeof echoed / sizeof *echoed; i++)
      if (!strncmp(k, echoed[i], strlen(echoed[i]))) n += sprintf(answer + n, "%s", k) + 1;
  }
  uint8_t *r = reply(c, 0x23, h[1] & 0x8f, get32(h + 16), n);
  memcpy(r + 8, h + 8, 6); r[15] = 1;
  memcpy(r + HEADER, answer, n); memset(r + HEADER + n, 0, padded(n) - n);
  withStatus(c, r);
}

static int handle(Connection *c, const uint8_t *h, const uint8_t *data, uint32_t length) {
  switch (h[0] & 0x3f) {
    case 0x01: scsiCommand(c, h, length); return 0;
    case 0x03: login(c, h, data, length); return 0;
    case 0x05: dataOut(c, h, length); return 0;
    case 0x06: withStatus(c, reply(c, 0x26, 0x80, get32(h + 16), 0)); sendAll(c); return -1;
    default: if (!(h[0] & 0x40)) c->expCmdSN++; withStatus(c, reply(c, 0x20, 0x80, get32(h + 16), 0)); return 0;
  }
}

static int receive(Connection *c) {
  if (c->inStart == c->inEnd) c->inStart = c->inEnd = 0;
  else if (RECEIVE_BYTES - c->inEnd < RECEIVE_BYTES / 4) {
    memmove(c->in, c->in + c->inStart, c->inEnd - c->inStart);
    c->inEnd -= c->inStart; c->inStart = 0;
  }
  ssize_t n = read(c->fd, c->in + c->inEnd, RECEIVE_BYTES - c->inEnd);
  if (n <= 0) return -1;
  c->inEnd += n;
  while (c->inEnd - c->inStart >= HEADER) {
    const uint8_t *h = c->in + c->inStart;
    uint32_t length = get32(h + 4) & 0xffffff;
    if (c->inEnd - c->inStart < HEADER + padded(length)) break;
    c->inStart += HEADER + padded(length);
    if (handle(c, h, h + HEADER, length)) return -1;
  }
  return c->outLength ? sendAll(c) : 0;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) { fprintf(stderr, "usage: bound PORT SIZE_BYTES [FILE]\n"); return 2; }
  if (argc == 4 && (file = open(argv[3], O_RDWR)) < 0) { perror(argv[3]); return 1; }
  sizeBytes = strtoull(argv[2], 0, 10);
  for (size_t i = 0; i < sizeof content; i++) content[i] = i * 31;
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, ep = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (void *)&a, sizeof a) || listen(listener, 64)) { perror("bound"); return 1; }
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    struct epoll_event events[64];
    int n = epoll_wait(ep, events, 64, -1);
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      if (c && receive(c)) { close(c->fd); free(c->in); free(c->out); free(c); }
      if (c) continue;
      c = calloc(1, sizeof *c);
      *c = (Connection){.fd = accept(listener, 0, 0), .in = malloc(RECEIVE_BYTES), .out = malloc(1 << 20), .outCapacity = 1 << 20, .statSN = 1};
      setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      e = (struct epoll_event){.events = EPOLLIN, .data.ptr = c};
      epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    }
    flushAll();
  }
}
