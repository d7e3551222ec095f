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

/** Asks for everything at each address. */
export async function readIdentity(): Promise<Identity> {
  const found: Record<string, string> = {};
  for (const [name, address] of Object.entries(FLOATING)) {
    const discovery = await connect(address);
    await discovery.login({ initiatorName: INITIATOR });
    found[`${name}: SendTargets`] = JSON.stringify(await discovery.sendTargets());
    await discovery.close();
    const initiator = await connect(address);
    const { answered, tsih } = await initiator.login({ initiatorName: INITIATOR, targetName: TARGET });
    found[`${name}: login`] = JSON.stringify(answered);
    found[`${name}: has a TSIH`] = `${tsih !== 0}`;
    found[`${name}: REPORT LUNS`] = await ask(initiator, 0, reportLuns(ANSWER_BYTES));
    for (const lun of LUNS) await readUnit(initiator, lun, `${name}: LUN ${lun}: `, found);
    await initiator.close();
  }
  return found;
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
