/** PDUs as tests write them down: words in hexadecimal, remarks behind two blanks, and text in quotation marks. */
import { assertEquals } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";

/** The bytes of a PDU that is written down. */
export function bytesOf(pdu: string): Uint8Array {
  const parts: number[] = [];
  for (const line of pdu.trim().split("\n").map((text) => text.trim())) {
    const quoted = /^"(.*)"$/.exec(line)?.[1];
    const words = /^(?:[0-9a-f]{8}(?: |$))+/.exec(line)?.[0];
    if (quoted !== undefined) parts.push(...new TextEncoder().encode(quoted.replaceAll("\\0", "\0")));
    else parts.push(...Uint8Array.fromHex(words!.replaceAll(" ", "")));
  }
  while (parts.length % 4 !== 0) parts.push(0);
  return Uint8Array.from(parts);
}

/** Receives a PDU, which must be the one that is written down. */
export async function assertReceives(initiator: Initiator, what: string, pdu: string): Promise<void> {
  const { header, data, padding } = await initiator.receive();
  assertEquals(header.toHex() + data.toHex() + padding.toHex(), bytesOf(pdu).toHex(), what);
}
