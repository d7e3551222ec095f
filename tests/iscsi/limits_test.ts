/** The limits that the README states are those of the table. */
import { assertStringIncludes } from "@std/assert";
import { Limits } from "../../lib/iscsi/limits.ts";

/** The README without its line breaks. */
const README = Deno.readTextFileSync(new URL("../../README.md", import.meta.url)).replace(/\s+/g, " ");

function seconds(ms: number): number {
  return ms / 1000;
}

function kibibytes(bytes: number): number {
  return bytes / 1024;
}

/** The sentence of the README about each limit that it states. */
const STATED: Readonly<Record<string, string>> = {
  failedLoginFirstMs: `before they are challenged: ${Limits.failedLoginFirstMs} ms after the first`,
  failedLoginMaxMs: `with each that follows, up to ${seconds(Limits.failedLoginMaxMs)} s, until`,
  connectionsInLoginPerAddress:
    `with the ${Limits.connectionsInLoginPerAddress} connections that one address may have in login`,
  discoverySessions: `where there are ${Limits.discoverySessions} discovery sessions`,
  discoveryMs: `one that has had ${seconds(Limits.discoveryMs)} s to ask`,
  blockingSeconds: `A command that waits for its initiator ends ${Limits.blockingSeconds} s after another`,
  dataOutSilenceSeconds: `after ${Limits.dataOutSilenceSeconds} s in which none of the data came`,
  dataOutSeconds: `in any case after ${Limits.dataOutSeconds} s and one more`,
  dataOutBytesPerSecond: `one more for each ${kibibytes(Limits.dataOutBytesPerSecond)} KiB of its data`,
  slowReaderBytesPerSecond: `takes fewer than ${kibibytes(Limits.slowReaderBytesPerSecond)} KiB a second`,
  slowReaderSeconds: `a second of what waits for it, for ${Limits.slowReaderSeconds} s, is closed`,
  probeMs: `for ${seconds(Limits.probeMs)} s at most, and is refused when all of them answer`,
};

for (const [limit, sentence] of Object.entries(STATED)) {
  Deno.test(`Limits.${limit} is what the README says`, () => assertStringIncludes(README, sentence));
}
