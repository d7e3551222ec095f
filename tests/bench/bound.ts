/**
 * The least that a target of one thread can do in Deno: `bound.c` with a file, once more. Nothing is checked; no
 * session, task, window, reservation or lock is kept; every reply to what one read brought in leaves in one write. What
 * a target in Deno does beside moving the bytes can only make it slower than this.
 *
 * Usage: deno run --allow-net --allow-read --allow-write tests/bench/bound.ts PORT FILE
 *
 * Serves iqn.2026-11.bench:bound, LUN 0, on 127.0.0.1 until it is killed.
 */

const HEADER_BYTES = 48;
const SEGMENT_BYTES_MAX = 262_144;
const RECEIVE_BYTES = 1 << 20;
/** All replies to 32 reads of 256 KiB. */
const SEND_BYTES = 9 << 20;

/** Keys whose offered values are accepted. */
const TAKEN_KEYS = [
  ...["MaxBurstLength", "FirstBurstLength", "DefaultTime2Wait", "DefaultTime2Retain", "MaxOutstandingR2T"],
  ...["ErrorRecoveryLevel", "DataPDUInOrder", "DataSequenceInOrder", "InitialR2T", "ImmediateData"],
];

const [port, path] = Deno.args;
const file = Deno.openSync(path!, { read: true, write: true });
const flusher = Deno.openSync(path!, { read: true, write: true });
const blocks = Deno.statSync(path!).size / 512;

/** A write with data outstanding. */
interface Write {
  readonly start: number;
  readonly wanted: number;
  received: number;
}

/** Flushes that are asked for while one runs share the next. */
class Flushes {
  #waiting: (() => void)[] = [];
  #isRunning = false;

  add(done: () => void): void {
    this.#waiting.push(done);
    if (!this.#isRunning) this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const served = this.#waiting;
      this.#waiting = [];
      await flusher.syncData();
      for (const done of served) done();
    }
    this.#isRunning = false;
  }
}

const flushes = new Flushes();

/** Bytes with the two ways to look at them. */
class Buffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  length = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** One connection. */
class Connection {
  readonly #socket: Deno.TcpConn;
  readonly #in = new Buffer(RECEIVE_BYTES);
  #start = 0;
  #out = new Buffer(SEND_BYTES);
  #idle = new Buffer(SEND_BYTES);
  #isSending = false;
  #statSN = 1;
  #expCmdSN = 0;
  readonly #writes = new Map<number, Write>();

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
    socket.setNoDelay(true);
  }

  async run(): Promise<void> {
    for (let isOpen = true; isOpen;) {
      const count = await this.#socket.read(this.#space());
      if (count === null) break;
      this.#in.length += count;
      isOpen = this.#handleAll();
      if (this.#out.length > 0 && !this.#isSending) this.#send();
    }
    this.#socket.close();
  }

  #space(): Uint8Array {
    const { bytes } = this.#in;
    if (this.#start === this.#in.length) this.#start = this.#in.length = 0;
    else if (RECEIVE_BYTES - this.#in.length < RECEIVE_BYTES / 2) {
      bytes.copyWithin(0, this.#start, this.#in.length);
      this.#in.length -= this.#start;
      this.#start = 0;
    }
    return bytes.subarray(this.#in.length);
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#out.length > 0) {
      const sent = this.#out;
      [this.#out, this.#idle] = [this.#idle, sent];
      let rest = sent.bytes.subarray(0, sent.length);
      sent.length = 0;
      while (rest.length > 0) rest = rest.subarray(await this.#socket.write(rest));
    }
    this.#isSending = false;
  }

  /** False when the initiator has logged out. */
  #handleAll(): boolean {
    const { view } = this.#in;
    while (this.#in.length - this.#start >= HEADER_BYTES) {
      const header = this.#start;
      const dataBytes = view.getUint32(header + 4) & 0xffffff;
      const end = header + HEADER_BYTES + padded(dataBytes);
      if (end > this.#in.length) break;
      this.#start = end;
      if (!this.#handle(header, dataBytes)) return false;
    }
    return true;
  }

  #handle(header: number, dataBytes: number): boolean {
    const { bytes, view } = this.#in;
    const initiatorTaskTag = view.getUint32(header + 16);
    switch (bytes[header]! & 0x3f) {
      case 0x01:
        this.#scsiCommand(header, initiatorTaskTag, dataBytes);
        return true;
      case 0x03:
        this.#login(header, initiatorTaskTag, dataBytes);
        return true;
      case 0x05:
        this.#dataOut(header, initiatorTaskTag, dataBytes);
        return true;
      case 0x06:
        this.#status(this.#reply(0x26, 0x80, initiatorTaskTag, 0));
        return false;
      default:
        if ((bytes[header]! & 0x40) === 0) this.#expCmdSN++;
        this.#status(this.#reply(0x20, 0x80, initiatorTaskTag, 0));
        return true;
    }
  }

  /** Makes a reply, and returns the offset of its header. */
  #reply(opcode: number, flags: number, initiatorTaskTag: number, dataBytes: number): number {
    const { bytes, view, length: header } = this.#out;
    bytes.fill(0, header, header + HEADER_BYTES);
    bytes[header] = opcode;
    bytes[header + 1] = flags;
    bytes[header + 5] = dataBytes >> 16;
    bytes[header + 6] = dataBytes >> 8;
    bytes[header + 7] = dataBytes;
    view.setUint32(header + 16, initiatorTaskTag);
    view.setUint32(header + 28, this.#expCmdSN);
    view.setUint32(header + 32, this.#expCmdSN + 127);
    this.#out.length += HEADER_BYTES + padded(dataBytes);
    return header;
  }

  #status(header: number): void {
    this.#out.view.setUint32(header + 24, this.#statSN++);
  }

  #good(initiatorTaskTag: number): void {
    this.#status(this.#reply(0x21, 0x80, initiatorTaskTag, 0));
  }

  /** Data-In, of the file from `start`, or `data` itself. */
  #dataIn(initiatorTaskTag: number, total: number, start: number, data?: Uint8Array): void {
    for (let offset = 0, dataSN = 0; offset < total; dataSN++) {
      const length = Math.min(SEGMENT_BYTES_MAX, total - offset);
      const isLast = offset + length === total;
      const header = this.#reply(0x25, isLast ? 0x81 : 0, initiatorTaskTag, length);
      const { bytes, view } = this.#out;
      const into = bytes.subarray(header + HEADER_BYTES, header + HEADER_BYTES + length);
      if (data !== undefined) into.set(data);
      else {
        file.seekSync(start + offset, Deno.SeekMode.Start);
        file.readSync(into);
      }
      view.setUint32(header + 20, 0xffffffff);
      view.setUint32(header + 36, dataSN);
      view.setUint32(header + 40, offset);
      if (isLast) this.#status(header);
      offset += length;
    }
  }

  #scsiCommand(header: number, initiatorTaskTag: number, dataBytes: number): void {
    const { bytes, view } = this.#in;
    const operation = bytes[header + 32]!;
    const isLong = operation >= 0x80;
    const start = view.getUint32(header + (isLong ? 38 : 34)) * 512;
    const total = (isLong ? view.getUint32(header + 42) : view.getUint16(header + 39)) * 512;
    if ((bytes[header]! & 0x40) === 0) this.#expCmdSN++;
    switch (operation) {
      case 0x28:
      case 0x88:
        return this.#dataIn(initiatorTaskTag, total, start);
      case 0x2a:
      case 0x8a:
        return this.#beginWrite(header, initiatorTaskTag, { start, wanted: total, received: 0 }, dataBytes);
      case 0x35:
      case 0x91:
        return flushes.add(() => {
          this.#good(initiatorTaskTag);
          if (!this.#isSending) this.#send();
        });
      case 0x25:
        return this.#answer(initiatorTaskTag, 8, [[0, blocks - 1], [4, 512]]);
      case 0x9e:
        return this.#answer(initiatorTaskTag, 32, [[4, blocks - 1], [8, 512]]);
      case 0x12:
        return this.#answer(initiatorTaskTag, 36, [[0, 0x502], [4, 0x1f000000]]);
      default:
        return this.#good(initiatorTaskTag);
    }
  }

  /** Data-In of some 32-bit fields. */
  #answer(initiatorTaskTag: number, length: number, fields: readonly (readonly [number, number])[]): void {
    const view = new DataView(new ArrayBuffer(length));
    for (const [offset, value] of fields) view.setUint32(offset, value);
    this.#dataIn(initiatorTaskTag, length, 0, new Uint8Array(view.buffer));
  }

  #beginWrite(header: number, initiatorTaskTag: number, write: Write, dataBytes: number): void {
    this.#take(header, write, dataBytes);
    if (write.received === write.wanted) return this.#good(initiatorTaskTag);
    this.#writes.set(initiatorTaskTag, write);
    if ((this.#in.bytes[header + 1]! & 0x80) !== 0) this.#readyToTransfer(initiatorTaskTag, write);
  }

  #dataOut(header: number, initiatorTaskTag: number, dataBytes: number): void {
    const write = this.#writes.get(initiatorTaskTag);
    if (write === undefined) return;
    this.#take(header, write, dataBytes);
    if (write.received === write.wanted) {
      this.#writes.delete(initiatorTaskTag);
      this.#good(initiatorTaskTag);
    } else if ((this.#in.bytes[header + 1]! & 0x80) !== 0) this.#readyToTransfer(initiatorTaskTag, write);
  }

  #take(header: number, write: Write, dataBytes: number): void {
    if (dataBytes === 0) return;
    file.seekSync(write.start + write.received, Deno.SeekMode.Start);
    file.writeSync(this.#in.bytes.subarray(header + HEADER_BYTES, header + HEADER_BYTES + dataBytes));
    write.received += dataBytes;
  }

  #readyToTransfer(initiatorTaskTag: number, { wanted, received }: Write): void {
    const header = this.#reply(0x31, 0x80, initiatorTaskTag, 0);
    const { view } = this.#out;
    view.setUint32(header + 20, initiatorTaskTag);
    view.setUint32(header + 24, this.#statSN);
    view.setUint32(header + 40, received);
    view.setUint32(header + 44, wanted - received);
  }

  #login(header: number, initiatorTaskTag: number, dataBytes: number): void {
    const { bytes, view } = this.#in;
    const data = bytes.subarray(header + HEADER_BYTES, header + HEADER_BYTES + dataBytes);
    const isSecurity = (bytes[header + 1]! >> 2 & 3) === 0;
    const offers = new TextDecoder().decode(data).split("\0");
    const answers = isSecurity ? ["AuthMethod=None"] : answerOffers(offers);
    const text = new TextEncoder().encode(answers.map((answer) => `${answer}\0`).join(""));
    this.#expCmdSN = view.getUint32(header + 24);
    const reply = this.#reply(0x23, bytes[header + 1]! & 0x8f, initiatorTaskTag, text.length);
    this.#out.bytes.set(bytes.subarray(header + 8, header + 14), reply + 8);
    this.#out.bytes[reply + 15] = 1;
    this.#out.bytes.set(text, reply + HEADER_BYTES);
    this.#status(reply);
  }
}

function answerOffers(offers: readonly string[]): string[] {
  const keys = offers.filter((offer) => TAKEN_KEYS.includes(offer.split("=")[0]!));
  const digests = offers.filter((offer) => /^\w+Digest=/.test(offer));
  return [
    ...["TargetPortalGroupTag=1", `MaxRecvDataSegmentLength=${SEGMENT_BYTES_MAX}`, "MaxConnections=1"],
    ...keys,
    ...digests.map((offer) => `${offer.split("=")[0]}=None`),
  ];
}

function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

for await (const socket of Deno.listen({ hostname: "127.0.0.1", port: Number(port) })) {
  // A peer that is gone has ended its measurement.
  new Connection(socket).run().catch(() => {});
}
