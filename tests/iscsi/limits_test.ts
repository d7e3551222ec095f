/** The limits that the pages state are those of the table. */
import { assertStringIncludes } from "@std/assert";
import { Limits } from "../../lib/iscsi/limits.ts";

/** The pages that state limits, without their line breaks. */
const PAGES = ["../../dist/iscsi.conf.5", "../../lib/ARCHITECTURE.md"].map((page) =>
  Deno.readTextFileSync(new URL(page, import.meta.url))
).join(" ").replace(/\s+/g, " ");

function seconds(ms: number): number {
  return ms / 1000;
}

function kibibytes(bytes: number): number {
  return bytes / 1024;
}

/** The sentence about each limit that a page states. */
const STATED: Readonly<Record<string, string>> = {
  failedLoginFirstMs: `before they are challenged: ${Limits.failedLoginFirstMs} ms after the first`,
  failedLoginMaxMs: `after each further one, up to ${seconds(Limits.failedLoginMaxMs)} seconds, until`,
  connectionsInLoginPerAddress:
    `an address has at most ${Limits.connectionsInLoginPerAddress} connections in login`,
  discoverySessions: `At ${Limits.discoverySessions} discovery sessions`,
  discoveryMs: `one that has had ${seconds(Limits.discoveryMs)} s to ask`,
  blockingSeconds:
    `ends - ${Limits.blockingSeconds} s after another command has begun to wait for its blocks`,
  dataOutSilenceSeconds: `after ${Limits.dataOutSilenceSeconds} s in which none of the data arrived`,
  dataOutSeconds: `in any case after ${Limits.dataOutSeconds} s and one more second`,
  dataOutBytesPerSecond: `one more second for each ${
    kibibytes(Limits.dataOutBytesPerSecond)
  } KiB of its data`,
  slowReaderBytesPerSecond: `takes fewer than ${kibibytes(Limits.slowReaderBytesPerSecond)} KiB a second`,
  slowReaderSeconds: `a second of its data, for ${Limits.slowReaderSeconds} s, is closed`,
  probeMs: `for ${seconds(Limits.probeMs)} s at most, and is refused when all of them answer`,
};

for (const [limit, sentence] of Object.entries(STATED)) {
  Deno.test(`Limits.${limit} is what a page says`, () => assertStringIncludes(PAGES, sentence));
}
