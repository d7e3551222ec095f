import { assertEquals } from "@std/assert";
import type { ByteStream } from "../../../lib/iscsi/byte_stream.ts";
import { ReplySender } from "../../../lib/iscsi/connection/reply_sender.ts";
import { SendBuffer } from "../../../lib/iscsi/wire/send_buffer.ts";
import { settle } from "../../support/until.ts";

Deno.test("ReplySender tells of each part of its replies that the peer has taken, but not of the last", async () => {
  const buffer = new SendBuffer();
  const takes: ((count: number) => void)[] = [];
  const stream: ByteStream = {
    read: () => Promise.resolve(null),
    write: () => new Promise((resolve) => takes.push(resolve)),
    close: () => {},
  };
  const events: string[] = [];
  const sender = new ReplySender(stream, buffer, {
    isClosed: () => false,
    sent: () => events.push("sent"),
    isTaking: () => events.push("taking"),
    idle: () => events.push("idle"),
    close: () => {},
  });
  buffer.reserve(100);
  buffer.commit(100);
  sender.send();
  for (const part of [30, 30, 40]) {
    takes.shift()!(part);
    await settle();
  }
  assertEquals(events, ["taking", "taking", "sent", "idle"]);
});
