/** Helpers of the tests of the server: a storage folder with backing files, and the settings that serve them. */
import { workerPlaceOf } from "../../lib/provision/state_folder.ts";
import { assertEquals } from "@std/assert";
import type { InterfaceAddress } from "../../lib/access/interfaces.ts";
import type { Config } from "../../lib/config/config.ts";
import type { Clock } from "../../lib/iscsi/clock.ts";
import { EventLog } from "../../lib/iscsi/events/event_log.ts";
import type { Identity } from "../../lib/scsi/identity.ts";
import { systemClock } from "../../lib/server/system.ts";
import { atAnyPort, configOf, identityNumber } from "../provision/conf.ts";
import type { Initiator } from "../support/initiator.ts";
import { write10 } from "../support/initiator_cdb.ts";
import { Opcode } from "../support/initiator_pdu.ts";
import { scsiCommand } from "../support/initiator_request.ts";
import { drain, numbered } from "../support/exchanges.ts";

/** The size of each backing file. */
export const FILE_BYTES = 4 * 1024 * 1024;

/** The loopback interface. */
export const LOOPBACK: InterfaceAddress = {
  name: "lo",
  address: "127.0.0.1",
  octets: [127, 0, 0, 1],
  prefixLength: 8,
  family: "ipv4",
};

/** Something to serve. */
export interface Served {
  readonly config: Config;
  readonly port: number;
  readonly place: string;
  readonly identities: ReadonlyMap<string, Identity>;
  readonly backingLinks: ReadonlyMap<string, string>;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly { readonly address: string; readonly port: number }[];
  readonly clock: Clock;
}

/** A log that keeps its lines. */
export class KeptLog extends EventLog {
  readonly lines: string[] = [];

  constructor() {
    super(({ level, message }) => this.lines.push(`${level}: ${message}`));
  }
}

/** Makes the backing files of targets `a` and `b`, and what it takes to serve them at any free port. */
export function makeServed(storage: string): Served {
  const parsed = configOf(
    ...[`storage=${storage}`, "networks=127.0.0.0/8"],
    ...["[a]", "size=4MB", "[b]", "size=4MB"],
  );
  const units = parsed.targets.flatMap(({ logicalUnits }) => logicalUnits);
  for (const { path } of units) {
    Deno.writeFileSync(path, new Uint8Array());
    Deno.truncateSync(path, FILE_BYTES);
  }
  return {
    config: atAnyPort(parsed),
    port: 0,
    place: workerPlaceOf(storage),
    identities: new Map(units.map(({ path }, index) => [path, identityNumber(index + 1)])),
    backingLinks: new Map(),
    interfaces: [LOOPBACK],
    portals: [{ address: "127.0.0.1", port: 0 }],
    clock: systemClock,
  };
}

/** The path of a target's backing file. */
export function pathOf({ config }: Served, name: string): string {
  return config.targets.find((target) => target.name === name)!.logicalUnits[0]!.path;
}

/** Begins a write and answers none of the R2Ts that ask for its data. */
export async function leaveWriteOpen(initiator: Initiator): Promise<void> {
  await initiator.send(scsiCommand({
    ...numbered(initiator),
    isFinal: true,
    reads: false,
    writes: true,
    lun: 0,
    expectedLength: 1024 * 1024,
    cdb: write10(0, 2048),
  }));
  assertEquals((await initiator.receive()).opcode, Opcode.readyToTransfer);
  await drain(initiator);
}

/** A server that ends says so (RFC 7143, 11.9.1), closes the connection, and sends nothing besides. */
export async function assertFarewell(initiator: Initiator): Promise<void> {
  const opcodes = (await initiator.receiveEnd()).map(({ opcode }) => opcode);
  assertEquals(opcodes, [Opcode.asynchronousMessage]);
}
