/** The scenarios of Linux share one guest; each leaves no session in it, and no trouble in the log of its kernel. */
import { assert, assertEquals } from "@std/assert";
import type { Appliance } from "../end_to_end/appliance.ts";
import type { Tool } from "../support/tools.ts";
import { LinuxGuest } from "./linux_guest.ts";
import type { Context, Scenario } from "./scenario.ts";

/** The base name of the targets. */
export const NODE = "iqn.2002-08.info.netmanager";

/** The name of the guest. */
export const GUEST = "iqn.2011-07.com.example:guest";

/** The size of a record that the writer of the guest writes. */
const RECORD_BYTES = 65536;

/** A scenario in the guest. */
export interface LinuxScenario extends Omit<Scenario, "needs" | "run"> {
  /** Programs of the host that it needs besides those for the guest. */
  readonly needs?: readonly Tool[];
  /** Lines of its kernel's log that are trouble elsewhere and are expected here: an extended regular expression. */
  readonly mayReport?: string;
  run(guest: LinuxGuest, context: Context): Promise<void>;
}

/** Returns a scenario that runs in the guest. */
export function linux(
  { name, proves, limitSeconds, needs = [], mayReport = "", run }: LinuxScenario,
): Scenario {
  return {
    name: `linux-${name}`,
    proves,
    limitSeconds,
    needs: ["qemu-system-x86_64", "apt-get", "dpkg-deb", ...needs],
    async run(context): Promise<void> {
      const guest = await context.shared.get("linux", () => LinuxGuest.boot());
      try {
        await guest.run("dmesg -c >/dev/null");
        await run(guest, context);
        await guest.run("leave");
        await guest.run(`check_kernel_log '${mayReport}'`);
      } catch (error) {
        if (context.signal.aborted) throw error;
        throw new Error(`${error}\n${await lastWords(guest)}`);
      }
    },
  };
}

async function lastWords(guest: LinuxGuest): Promise<string> {
  try {
    return await guest.run("echo 'dmesg:'; dmesg | tail -n 30; echo 'iscsid:'; tail -n 10 /run/iscsid.log");
  } catch (error) {
    return String(error);
  }
}

/** Returns the portal of an appliance as iscsiadm names it. */
export function portalOf(appliance: Appliance, address = "127.0.0.1"): string {
  return `${address}:${appliance.port}`;
}

/** Logs the guest in to the target [disk] of an appliance; returns the device of its LUN 0. */
export async function enter(guest: LinuxGuest, appliance: Appliance): Promise<string> {
  return await guest.run(`enter disk ${portalOf(appliance)}`);
}

/** Returns the hash of a backing file, as `hash_of` in the guest prints it. */
export async function hashOfBacking(appliance: Appliance, name: string): Promise<string> {
  const content = await Deno.readFile(`${appliance.storage}/${name}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
}

/** Returns the bytes that a backing file takes on its file system. */
export function allocatedBytes(appliance: Appliance, name: string): number {
  return Deno.statSync(`${appliance.storage}/${name}`).blocks! * 512;
}

/** Returns repetitions of a line, as `pattern` in the guest prints them. */
export function pattern(text: string, length: number): Uint8Array {
  const line = `${text}\n`;
  return new TextEncoder().encode(line.repeat(Math.ceil(length / line.length))).subarray(0, length);
}

/** Reads a part of a backing file. */
export function readBacking(appliance: Appliance, name: string, offset: number, length: number): Uint8Array {
  using file = Deno.openSync(`${appliance.storage}/${name}`);
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  for (let end = 0; end < length;) {
    const count = file.readSync(bytes.subarray(end));
    if (count === null) throw new Error(`${name} ends before ${offset + length}`);
    end += count;
  }
  return bytes;
}

/** Checks that a backing file has what the writer of the guest reports: a line with slot and round for each slot. */
export function checkRecords(appliance: Appliance, name: string, report: string): void {
  assert(report !== "", "the writer has written nothing");
  for (const line of report.split("\n")) {
    const [slot, round] = line.split(" ");
    const found = readBacking(appliance, name, Number(slot) * RECORD_BYTES, RECORD_BYTES);
    const expected = pattern(`writer slot ${slot} round ${round}`, RECORD_BYTES);
    assertEquals(firstDifference(found, expected), undefined, `slot ${slot}, which has round ${round}`);
  }
}

/** Returns the index of the first byte in which two arrays differ; undefined when they are equal. */
export function firstDifference(actual: Uint8Array, expected: Uint8Array): number | undefined {
  for (let index = 0; index < Math.max(actual.length, expected.length); index++) {
    if (actual[index] !== expected[index]) return index;
  }
  return undefined;
}
