import type { ByteStream } from "../../iscsi/byte_stream.ts";
import type { RelayedStream } from "./relayed_stream.ts";

/** Most bytes that are read from a peer at once. */
const READ_BYTES_MAX = 262_144;

/** How long a peer may take to read what the target has said last. */
const LAST_WORDS_MS = 2_000;

/**
 * Carries bytes between a socket and the target worker until the target has closed its end, which it does when the peer
 * has gone or nothing more is to be said. Then both are closed. Never rejects: whatever goes wrong with one side ends
 * the other.
 */
export async function joinStreams(
  socket: ByteStream,
  relayed: RelayedStream,
  lastWordsMs: number = LAST_WORDS_MS,
): Promise<void> {
  let isClosed = false;
  const closeSocket = (): void => {
    if (!isClosed) socket.close();
    isClosed = true;
  };
  let deadline: ReturnType<typeof setTimeout> | undefined;
  relayed.otherClosed.then(() => deadline = setTimeout(closeSocket, lastWordsMs));
  // A peer that sends no more may still read; one that cannot be read from cannot.
  const inward = carry(socket, relayed).then(() => relayed.end(), () => relayed.close());
  await carry(relayed, socket).catch(() => {});
  clearTimeout(deadline);
  closeSocket();
  relayed.close();
  await inward;
}

async function carry(from: ByteStream, to: ByteStream): Promise<void> {
  const buffer = new Uint8Array(READ_BYTES_MAX);
  while (true) {
    const count = await from.read(buffer);
    if (count === null) return;
    for (let offset = 0; offset < count;) offset += await to.write(buffer.subarray(offset, count));
  }
}
