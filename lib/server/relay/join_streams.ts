import type { ByteStream } from "../../iscsi/byte_stream.ts";
import type { RelayedStream } from "./relayed_stream.ts";

/** Most bytes of one read. */
const READ_BYTES_MAX = 262_144;

/** Milliseconds in which a peer must read the last bytes of the target. */
const LAST_BYTES_MS = 2_000;

/**
 * Copies bytes between a socket and the target worker until the target closes its end. Then closes both. Never rejects:
 * an error on one side closes the other.
 */
export async function joinStreams(
  socket: ByteStream,
  relayed: RelayedStream,
  lastBytesMs: number = LAST_BYTES_MS,
): Promise<void> {
  let isClosed = false;
  const closeSocket = (): void => {
    if (!isClosed) socket.close();
    isClosed = true;
  };
  let deadline: ReturnType<typeof setTimeout> | undefined;
  relayed.otherClosed.then(() => deadline = setTimeout(closeSocket, lastBytesMs));
  // A peer that has ended its output may still read. After a read error it cannot.
  const inward = copy(socket, relayed).then(() => relayed.end(), () => relayed.close());
  await copy(relayed, socket).catch(() => {});
  clearTimeout(deadline);
  closeSocket();
  relayed.close();
  await inward;
}

async function copy(from: ByteStream, to: ByteStream): Promise<void> {
  const buffer = new Uint8Array(READ_BYTES_MAX);
  while (true) {
    const count = await from.read(buffer);
    if (count === null) return;
    for (let offset = 0; offset < count;) offset += await to.write(buffer.subarray(offset, count));
  }
}
