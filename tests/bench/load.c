// load: an iSCSI initiator that does nothing but keep a target busy and measure it.
//
// One thread, epoll, one connection per session, a fixed number of commands outstanding on each. Data that is read is
// discarded, data that is written is one fixed buffer: all other work is the target's.
//
// Usage: load HOST PORT TARGET LUN JOB BLOCK_BYTES DEPTH SESSIONS SECONDS [PACED_SESSIONS_DEPTH]
//   JOB: randread randwrite mix seqread seqwrite flush (a write, then SYNCHRONIZE CACHE, as one operation), or, of
//   extents of BLOCK_BYTES in ascending order: unmap (DESCRIPTORS in the environment to a command, a gap of an extent
//   behind each), same and sameunmap (WRITE SAME of zeros, without and with the UNMAP bit), sanitize (the whole LUN)
//   With a last argument N, session 0 has depth 1 and is measured alone, while the others have depth N (fairness).
// With SERVER_PID in the environment the processor time of that process is measured over the same span.
// With COUNT in the environment the job ends after so many commands, and is measured from the first one to the last.
// With NEIGHBOUR in the environment, a LUN, session 0 reads 4 KiB there at depth 1, and is measured by itself.
// With DIGESTS in the environment all PDUs have header and data digests, which are checked.
// Prints one line of JSON: operations, seconds, p50Us, p99Us, maxUs, initiatorCpuUs and serverCpuUs per operation,
// and neighbourP50Us, neighbourP99Us and neighbourMaxUs with a neighbour.
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
#include <time.h>
#include <unistd.h>

enum { HEADER = 48, SEGMENT_MAX = 262144, FIRST_BURST = 262144, BURST_MAX = 1048576, DEPTH_MAX = 256 };
enum { RECEIVE_BYTES = 4 << 20, HISTOGRAM = 1 << 16, DESCRIPTORS_MAX = 4096 };

typedef struct {
  double began;
  uint64_t lba;
  bool isWrite, isFlushing, isBusy;
} Slot;

typedef struct {
  int fd, depth, lun;
  bool isNeighbour;
  uint32_t cmdSN, expStatSN, segmentMax, digestBytes;
  uint8_t *in, *out;
  size_t inStart, inEnd, outStart, outSealed, outEnd, outCapacity;
  uint64_t nextBlock, sectors;
  Slot slots[DEPTH_MAX];
} Session;

static const char *job;
static uint32_t blockBytes, sectorBytes = 512;
static uint8_t pattern[BURST_MAX], zeros[4096];
static bool isMeasured, isOver, isComplete, isFairness, isDiscard;
static int descriptors = 1;
static uint64_t operations, issued, count_;
// The times of the job, and those of the neighbour.
typedef struct { uint64_t counts[HISTOGRAM]; double worst; } Times;
static Times jobTimes, neighbourTimes;
static uint64_t seed = 88172645463325252ull;

static uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return ntohl(v); }
static void put32(uint8_t *p, uint32_t v) { v = htonl(v); memcpy(p, &v, 4); }
static void put64(uint8_t *p, uint64_t v) { put32(p, v >> 32); put32(p + 4, (uint32_t)v); }
static void put24(uint8_t *p, uint32_t v) { p[0] = v >> 16; p[1] = v >> 8; p[2] = v; }
static uint32_t padded(uint32_t n) { return (n + 3) & ~3u; }
static void die(const char *what) { fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "failed"); exit(1); }
static uint64_t randomNumber(void) { seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17; return seed; }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e6 + t.tv_nsec / 1e3; }
static double cpu(void) {
  struct rusage u; getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

// Processor time of another process in microseconds; its resolution is a clock tick, usually 10 ms.
static double cpuOf(const char *pid) {
  char path[64]; unsigned long user = 0, kernel = 0;
  snprintf(path, sizeof path, "/proc/%s/stat", pid);
  FILE *f = fopen(path, "r");
  if (!f || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2) die(path);
  fclose(f);
  return (user + kernel) * 1e6 / sysconf(_SC_CLK_TCK);
}

// Microseconds up to 2048 one by one, above that with a resolution of 1/1024.
static unsigned bucketOf(double us) {
  uint64_t v = us < 0 ? 0 : (uint64_t)us; unsigned shift = 0;
  while (v >> shift >= 2048) shift++;
  unsigned bucket = shift * 1024 + (unsigned)(v >> shift);
  return bucket < HISTOGRAM ? bucket : HISTOGRAM - 1;
}
static double valueOf(unsigned bucket) {
  if (bucket < 2048) return bucket;
  unsigned shift = bucket / 1024 - 1;
  return (double)((uint64_t)(bucket - shift * 1024) << shift);
}
static double percentile(const Times *times, double share) {
  const uint64_t *histogram = times->counts;
  uint64_t seen = 0, total = 0;
  for (unsigned i = 0; i < HISTOGRAM; i++) total += histogram[i];
  for (unsigned i = 0; i < HISTOGRAM; i++) if ((seen += histogram[i]) >= total * share && seen) return valueOf(i);
  return 0;
}

// CRC32C, by the processor's instruction where it has one.
#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t digestOf(const uint8_t *p, size_t n) {
  uint64_t crc = 0xffffffff;
  for (; n >= 8; n -= 8, p += 8) { uint64_t v; memcpy(&v, p, 8); crc = __builtin_ia32_crc32di(crc, v); }
  for (; n; n--, p++) crc = __builtin_ia32_crc32qi(crc, *p);
  return ~(uint32_t)crc;
}
#else
static uint32_t digestOf(const uint8_t *p, size_t n) {
  static uint32_t table[256];
  if (!table[1]) for (uint32_t i = 0; i < 256; i++) {
    uint32_t v = i;
    for (int bit = 0; bit < 8; bit++) v = v >> 1 ^ (v & 1 ? 0x82f63b78 : 0);
    table[i] = v;
  }
  uint32_t crc = 0xffffffff;
  for (; n; n--, p++) crc = crc >> 8 ^ table[(crc ^ *p) & 0xff];
  return ~crc;
}
#endif

static uint32_t dataBytesOf(const uint8_t *h) { return padded(get32(h + 4) & 0xffffff); }
static size_t frameBytesOf(const Session *s, uint32_t dataBytes) {
  return HEADER + s->digestBytes + dataBytes + (dataBytes ? s->digestBytes : 0);
}
// Puts digests into a PDU, the least significant byte first, or checks those that it has.
static void seal(uint8_t *h) {
  uint32_t n = dataBytesOf(h), header = digestOf(h, HEADER), data = n ? digestOf(h + HEADER + 4, n) : 0;
  memcpy(h + HEADER, &header, 4);
  if (n) memcpy(h + HEADER + 4 + n, &data, 4);
}
static void check(const uint8_t *h) {
  uint32_t n = dataBytesOf(h), header = digestOf(h, HEADER), data = n ? digestOf(h + HEADER + 4, n) : 0;
  errno = 0;
  if (memcmp(h + HEADER, &header, 4) || (n && memcmp(h + HEADER + 4 + n, &data, 4))) die("a digest is wrong");
}

static uint8_t *reserve(Session *s, uint8_t opcode, uint8_t flags, uint32_t dataBytes, uint32_t itt) {
  size_t need = frameBytesOf(s, padded(dataBytes));
  if (s->outStart == s->outEnd) s->outStart = s->outSealed = s->outEnd = 0;
  if (s->outEnd + need > s->outCapacity) {
    s->outCapacity = (s->outEnd + need) * 2;
    if (!(s->out = realloc(s->out, s->outCapacity))) die("memory");
  }
  uint8_t *h = s->out + s->outEnd;
  memset(h, 0, HEADER);
  memset(h + HEADER + s->digestBytes + dataBytes, 0, padded(dataBytes) - dataBytes);
  h[0] = opcode; h[1] = flags; put24(h + 5, dataBytes); put32(h + 16, itt); put32(h + 28, s->expStatSN);
  s->outEnd += need;
  return h;
}

static uint8_t *command(Session *s, uint32_t itt, uint8_t flags, uint32_t expected, uint32_t immediate) {
  uint8_t *h = reserve(s, 0x01, 0x80 | flags | 1, immediate, itt);
  h[9] = s->lun; put32(h + 20, expected); put32(h + 24, s->cmdSN++);
  return h;
}

static void issueFlush(Session *s, uint32_t itt) { command(s, itt, 0, 0, 0)[32] = 0x35; }

// Gives an extent back, or several: the whole of what is sent is immediate data.
static void issueDiscard(Session *s, uint32_t itt) {
  Slot *slot = &s->slots[itt];
  bool isUnmap = !strcmp(job, "unmap"), isSame = !strncmp(job, "same", 4);
  uint64_t extentSectors = blockBytes / sectorBytes, extents = s->sectors / extentSectors;
  uint32_t n = isUnmap ? 8 + 16 * descriptors : isSame ? sectorBytes : 0;
  slot->isBusy = true; slot->began = now();
  uint8_t *h = command(s, itt, n ? 0x20 : 0, n, n), *data = h + HEADER + s->digestBytes;
  h[32] = isUnmap ? 0x42 : isSame ? 0x93 : 0x48;
  if (isUnmap) {
    h[39] = n >> 8; h[40] = n;
    memset(data, 0, n);
    data[0] = (n - 2) >> 8; data[1] = n - 2; data[2] = (n - 8) >> 8; data[3] = n - 8;
    for (int i = 0; i < descriptors; i++, s->nextBlock += 2) {
      if (s->nextBlock >= extents) s->nextBlock = 0;
      put64(data + 8 + 16 * i, s->nextBlock * extentSectors); put32(data + 16 + 16 * i, extentSectors);
    }
  } else if (isSame) {
    h[33] = strcmp(job, "same") ? 0x08 : 0;
    put64(h + 34, s->nextBlock++ % extents * extentSectors); put32(h + 42, extentSectors);
    memcpy(data, zeros, n);
  } else h[33] = 0x02;
}

static void issue(Session *s, uint32_t itt) {
  if (!s->isNeighbour) issued++;
  if (isDiscard && !s->isNeighbour) { issueDiscard(s, itt); return; }
  Slot *slot = &s->slots[itt];
  const char *kind = s->isNeighbour ? "randread" : job;
  uint32_t bytes = s->isNeighbour ? 4096 : blockBytes;
  uint64_t blocks = s->sectors * sectorBytes / bytes;
  bool isSequential = !strncmp(kind, "seq", 3);
  uint64_t block = isSequential ? s->nextBlock++ % blocks : randomNumber() % blocks;
  slot->isWrite = strstr(kind, "write") || !strcmp(kind, "flush") || (!strcmp(kind, "mix") && randomNumber() % 10 >= 7);
  slot->isFlushing = false; slot->isBusy = true;
  slot->lba = block * (bytes / sectorBytes);
  slot->began = now();
  uint32_t immediate = slot->isWrite ? (bytes < s->segmentMax ? bytes : s->segmentMax) : 0;
  if (immediate > FIRST_BURST) immediate = FIRST_BURST;
  uint8_t *h = command(s, itt, slot->isWrite ? 0x20 : 0x40, bytes, immediate);
  h[32] = slot->isWrite ? 0x8a : 0x88;
  put64(h + 34, slot->lba); put32(h + 42, bytes / sectorBytes);
  if (immediate) memcpy(h + HEADER + s->digestBytes, pattern, immediate);
}

static void answerR2T(Session *s, const uint8_t *r2t) {
  uint32_t offset = get32(r2t + 40), end = offset + get32(r2t + 44), dataSN = 0;
  while (offset < end) {
    uint32_t n = end - offset < s->segmentMax ? end - offset : s->segmentMax;
    uint8_t *h = reserve(s, 0x05, offset + n == end ? 0x80 : 0, n, get32(r2t + 16));
    memcpy(h + 8, r2t + 8, 8); memcpy(h + 20, r2t + 20, 4);
    put32(h + 36, dataSN++); put32(h + 40, offset);
    memcpy(h + HEADER + s->digestBytes, pattern, n);
    offset += n;
  }
}

static void completed(Session *s, uint32_t itt, bool isCounted) {
  Slot *slot = &s->slots[itt];
  if (!s->isNeighbour && !strcmp(job, "flush") && !slot->isFlushing) { slot->isFlushing = true; issueFlush(s, itt); return; }
  if (isMeasured && isCounted) {
    double us = now() - slot->began;
    Times *times = s->isNeighbour ? &neighbourTimes : &jobTimes;
    if (!s->isNeighbour) operations++;
    times->counts[bucketOf(us)]++; if (us > times->worst) times->worst = us;
  }
  slot->isBusy = false;
  if (count_ && !s->isNeighbour && operations == count_) isComplete = true;
  else if (!isOver && (!count_ || s->isNeighbour || issued < count_)) issue(s, itt);
}

static void handle(Session *s, const uint8_t *h, bool isCounted) {
  uint8_t opcode = h[0];
  bool hasStatus = opcode == 0x21 || (opcode == 0x25 && (h[1] & 1));
  if (opcode == 0x31) { answerR2T(s, h); return; }
  if (hasStatus) {
    if (h[3]) { fprintf(stderr, "load: SCSI status 0x%02x\n", h[3]); exit(1); }
    s->expStatSN = get32(h + 24) + 1;
    completed(s, get32(h + 16), isCounted);
  } else if (opcode != 0x25) { fprintf(stderr, "load: unexpected opcode 0x%02x\n", opcode); exit(1); }
}

static void sendSome(Session *s) {
  for (; s->outSealed < s->outEnd; s->outSealed += frameBytesOf(s, dataBytesOf(s->out + s->outSealed)))
    if (s->digestBytes) seal(s->out + s->outSealed);
  while (s->outStart < s->outEnd) {
    ssize_t n = write(s->fd, s->out + s->outStart, s->outEnd - s->outStart);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("write");
    s->outStart += n;
  }
}

static size_t frameAt(const Session *s) {
  size_t have = s->inEnd - s->inStart;
  if (have < HEADER) return 0;
  const uint8_t *h = s->in + s->inStart;
  size_t need = frameBytesOf(s, dataBytesOf(h));
  if (have < need) return 0;
  if (s->digestBytes) check(h);
  return need;
}

static bool receiveSome(Session *s) {
  if (s->inStart == s->inEnd) s->inStart = s->inEnd = 0;
  else if (RECEIVE_BYTES - s->inEnd < RECEIVE_BYTES / 4) {
    memmove(s->in, s->in + s->inStart, s->inEnd - s->inStart);
    s->inEnd -= s->inStart; s->inStart = 0;
  }
  ssize_t n = read(s->fd, s->in + s->inEnd, RECEIVE_BYTES - s->inEnd);
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) die("the target closed the connection");
  s->inEnd += n;
  return true;
}

// Waits for one PDU on a blocking socket: for login and the commands before the job.
static const uint8_t *await(Session *s) {
  size_t n;
  sendSome(s);
  while (!(n = frameAt(s))) receiveSome(s);
  const uint8_t *h = s->in + s->inStart;
  s->inStart += n;
  return h;
}

static void login(Session *s, const char *target, int number) {
  char text[1024];
  const char *digest = getenv("DIGESTS") ? "CRC32C" : "None";
  int n = snprintf(text, sizeof text,
    "InitiatorName=iqn.2026-11.bench:load%cTargetName=%s%cSessionType=Normal%cHeaderDigest=%s%cDataDigest=%s%c"
    "InitialR2T=No%cImmediateData=Yes%cMaxRecvDataSegmentLength=%d%cMaxBurstLength=%d%cFirstBurstLength=%d%c"
    "MaxOutstandingR2T=8%cMaxConnections=1%cErrorRecoveryLevel=0%c",
    0, target, 0, 0, digest, 0, digest, 0, 0, 0, SEGMENT_MAX, 0, BURST_MAX, 0, FIRST_BURST, 0, 0, 0, 0);
  uint8_t *h = reserve(s, 0x43, 0x87, n, 1);
  h[8] = 0x80; h[13] = number; put32(h + 24, s->cmdSN = 1); put32(h + 28, 0);
  memcpy(h + HEADER, text, n);
  const uint8_t *r = await(s);
  if (r[0] != 0x23 || r[36]) { fprintf(stderr, "load: login refused with %02x%02x\n", r[36], r[37]); exit(1); }
  s->expStatSN = get32(r + 24) + 1;
  uint32_t length = get32(r + 4) & 0xffffff;
  s->segmentMax = 8192;
  int digests = 0;
  for (const char *k = (const char *)r + HEADER, *e = k + length; k < e; k += strlen(k) + 1)
    if (!strncmp(k, "MaxRecvDataSegmentLength=", 25)) s->segmentMax = atoi(k + 25);
    else if (!strcmp(k, "HeaderDigest=CRC32C") || !strcmp(k, "DataDigest=CRC32C")) digests++;
  if (s->segmentMax > SEGMENT_MAX) s->segmentMax = SEGMENT_MAX;
  if (getenv("DIGESTS") && digests != 2) { fprintf(stderr, "load: the target wants no digests\n"); exit(1); }
  s->digestBytes = digests == 2 ? 4 : 0;
}

static void prepare(Session *s) {
  for (int attempt = 0; attempt < 4; attempt++) {
    command(s, 0, 0, 0, 0);
    const uint8_t *r = await(s);
    s->expStatSN = get32(r + 24) + 1;
    if (!r[3]) break;
  }
  command(s, 0, 0x40, 8, 0)[32] = 0x25;
  const uint8_t *r = await(s);
  s->expStatSN = get32(r + 24) + 1;
  const uint8_t *capacity = r + HEADER + s->digestBytes;
  s->sectors = (uint64_t)get32(capacity) + 1; sectorBytes = get32(capacity + 4);
  while (r[0] == 0x25 && !(r[1] & 1)) { r = await(s); s->expStatSN = get32(r + 24) + 1; }
}

static void open_(Session *s, const char *host, int port, const char *target, int number) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &a.sin_addr);
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s->fd, (void *)&a, sizeof a)) die("connect");
  int one = 1; setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  s->in = malloc(RECEIVE_BYTES); s->out = malloc(s->outCapacity = 1 << 16);
  login(s, target, number);
  prepare(s);
  fcntl(s->fd, F_SETFL, O_NONBLOCK);
}

int main(int argc, char **argv) {
  if (argc < 10) { fprintf(stderr, "usage: see the head of load.c\n"); return 2; }
  job = argv[5]; blockBytes = atoi(argv[6]);
  int depth = atoi(argv[7]), count = atoi(argv[8]); double seconds = atof(argv[9]);
  isFairness = argc > 10;
  isDiscard = !strcmp(job, "unmap") || !strncmp(job, "same", 4) || !strcmp(job, "sanitize");
  const char *neighbour = getenv("NEIGHBOUR");
  count_ = getenv("COUNT") ? strtoull(getenv("COUNT"), NULL, 10) : 0;
  if (getenv("DESCRIPTORS")) descriptors = atoi(getenv("DESCRIPTORS"));
  if (descriptors < 1 || descriptors > DESCRIPTORS_MAX) { errno = 0; die("DESCRIPTORS"); }
  if (neighbour) count++;
  for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i * 31 + 7;
  Session *sessions = calloc(count, sizeof *sessions);
  int ep = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    Session *s = &sessions[i];
    s->isNeighbour = neighbour && !i;
    s->lun = atoi(s->isNeighbour ? neighbour : argv[4]);
    open_(s, argv[1], atoi(argv[2]), argv[3], i + 1);
    s->depth = s->isNeighbour ? 1 : isFairness ? (i ? atoi(argv[10]) : 1) : depth;
    s->nextBlock = isDiscard ? 0 : s->sectors * sectorBytes / blockBytes / count * i;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &e);
  }
  isMeasured = count_;
  for (int i = 0; i < count; i++) { for (int k = 0; k < sessions[i].depth && (!count_ || sessions[i].isNeighbour || issued < count_); k++) issue(&sessions[i], k); sendSome(&sessions[i]); }
  const char *server = getenv("SERVER_PID");
  double warm = now() + 0.3e6, start = now(), cpuStart = cpu(), serverStart = server ? cpuOf(server) : 0;
  double end = 0, cpuEnd = 0, serverEnd = 0;
  for (int busy = 1; busy;) {
    struct epoll_event events[64];
    int n = epoll_wait(ep, events, 64, isDiscard ? 60000 : 5000);
    if (n == 0) { errno = 0; die("the target does not answer"); }
    for (int i = 0; i < n; i++) {
      Session *s = events[i].data.ptr;
      if (events[i].events & (EPOLLIN | EPOLLHUP)) {
        receiveSome(s);
        for (size_t k; (k = frameAt(s));) { const uint8_t *h = s->in + s->inStart; s->inStart += k; handle(s, h, !isFairness || s == sessions); }
      }
      sendSome(s);
      struct epoll_event e = {.events = EPOLLIN | (s->outStart < s->outEnd ? EPOLLOUT : 0), .data.ptr = s};
      epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &e);
    }
    double t = now();
    if (!isMeasured && !isOver && t > warm) { isMeasured = true; start = t; cpuStart = cpu(); if (server) serverStart = cpuOf(server); }
    if (isMeasured && (isComplete || t > start + seconds * 1e6)) { isMeasured = false; isOver = true; end = t; cpuEnd = cpu(); if (server) serverEnd = cpuOf(server); }
    busy = !isOver;
    for (int i = 0; i < count && !busy; i++) for (int k = 0; k < sessions[i].depth; k++) busy |= sessions[i].slots[k].isBusy;
  }
  double each = operations ? operations : 1;
  printf("{\"operations\":%lu,\"seconds\":%.6f,\"p50Us\":%.0f,\"p99Us\":%.0f,\"maxUs\":%.0f,\"initiatorCpuUs\":%.2f,\"serverCpuUs\":%.2f",
    operations, (end - start) / 1e6, percentile(&jobTimes, 0.5), percentile(&jobTimes, 0.99), jobTimes.worst, (cpuEnd - cpuStart) / each, (serverEnd - serverStart) / each);
  if (neighbour)
    printf(",\"neighbourP50Us\":%.0f,\"neighbourP99Us\":%.0f,\"neighbourMaxUs\":%.0f",
      percentile(&neighbourTimes, 0.5), percentile(&neighbourTimes, 0.99), neighbourTimes.worst);
  printf("}\n");
  return 0;
}
