/** All that an initiator knows a target by, as text that must not change when the target moves. */
import { readUint32 } from "../../lib/bytes/big_endian.ts";
import { command } from "../crash/_product.ts";
import { inquiry, readCapacity16, reportLuns } from "../support/initiator_cdb.ts";
import type { Initiator } from "../support/initiator.ts";
import { FLOATING } from "./_cluster_conf.ts";
import { connect, TARGET } from "./_paths.ts";

const INITIATOR = "iqn.2000-01.test:looker";
const LUNS = [0, 1];

/** Service actions of PERSISTENT RESERVE IN: keys, reservation, and the full status of every registration. */
const RESERVE_IN = { keys: 0, reservation: 1, registrations: 3 } as const;

const ANSWER_BYTES = 4096;

/** Names and values; the order is always the same. */
export type Identity = Readonly<Record<string, string>>;

/** Attempts to ask at an address: on a busy machine a connection may take longer than it may. */
const ATTEMPTS = 10;

/** Asks for everything at each address. */
export async function readIdentity(): Promise<Identity> {
  const found: Record<string, string> = {};
  for (const [name, address] of Object.entries(FLOATING)) {
    for (let attempt = 1;; attempt++) {
      try {
        await discover(address, `${name}: `, found);
        await readTarget(address, `${name}: `, found);
        break;
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }
  return found;
}

async function discover(address: string, prefix: string, found: Record<string, string>): Promise<void> {
  await using initiator = await connect(address);
  await initiator.login({ initiatorName: INITIATOR });
  found[`${prefix}SendTargets`] = JSON.stringify(await initiator.sendTargets());
}

async function readTarget(address: string, prefix: string, found: Record<string, string>): Promise<void> {
  await using initiator = await connect(address);
  const { answered, tsih } = await initiator.login({ initiatorName: INITIATOR, targetName: TARGET });
  found[`${prefix}login`] = JSON.stringify(answered);
  found[`${prefix}has a TSIH`] = `${tsih !== 0}`;
  found[`${prefix}REPORT LUNS`] = await ask(initiator, 0, reportLuns(ANSWER_BYTES));
  for (const lun of LUNS) await readUnit(initiator, lun, `${prefix}LUN ${lun}: `, found);
}

/** Returns where two identities differ. */
export function compareIdentities(before: Identity, after: Identity): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name} was ${before[name]} and is ${after[name]}`);
}

async function readUnit(
  initiator: Initiator,
  lun: number,
  prefix: string,
  found: Record<string, string>,
): Promise<void> {
  found[`${prefix}INQUIRY`] = await ask(initiator, lun, inquiry(ANSWER_BYTES));
  found[`${prefix}READ CAPACITY`] = await ask(initiator, lun, readCapacity16());
  found[`${prefix}REPORT TARGET PORT GROUPS`] = await ask(initiator, lun, reportTargetPortGroups());
  const pages = Uint8Array.fromHex(await ask(initiator, lun, inquiry(ANSWER_BYTES, 0))).subarray(4);
  for (const page of pages) {
    found[`${prefix}VPD page ${page.toString(16)}h`] = await ask(initiator, lun, inquiry(ANSWER_BYTES, page));
  }
  for (const [name, serviceAction] of Object.entries(RESERVE_IN)) {
    const cdb = Uint8Array.of(0x5e, serviceAction, 0, 0, 0, 0, 0, ANSWER_BYTES >> 8, 0, 0);
    const answer = await ask(initiator, lun, cdb);
    // PRGENERATION begins again at a power on (SPC-4, 6.15.2).
    found[`${prefix}PERSISTENT RESERVE IN, ${name}`] = answer.slice(8);
  }
}

/** Builds REPORT TARGET PORT GROUPS (SPC-4, 6.37). */
function reportTargetPortGroups(): Uint8Array {
  return Uint8Array.of(0xa3, 0x0a, 0, 0, 0, 0, 0, 0, ANSWER_BYTES >> 8, 0, 0, 0);
}

async function ask(initiator: Initiator, lun: number, cdb: Uint8Array): Promise<string> {
  const data = await command(initiator, {
    cdb,
    lun,
    read: cdb[0] === 0x9e ? readUint32(cdb, 10) : ANSWER_BYTES,
  });
  return data.toHex();
}
