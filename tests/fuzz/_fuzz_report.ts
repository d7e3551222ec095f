/** The requests and the outcomes of a fuzzing campaign, counted by kind. */
import { InitiatorOpcode, initiatorOpcodeName } from "../../lib/iscsi/pdu/opcodes.ts";
import { LoginStatus } from "../../lib/iscsi/pdu/login_status.ts";
import { RejectReason } from "../../lib/iscsi/pdu/reject_reason.ts";
import { Opcode, type Pdu } from "../support/initiator_pdu.ts";

type Counts = Map<string, number>;

function count(counts: Counts, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function nameIn(table: Readonly<Record<string, number>>, value: number): string {
  const name = Object.entries(table).find(([, other]) => other === value)?.[0];
  return `${value.toString(16).padStart(2, "0")}h ${name ?? "?"}`;
}

/** Everything counted of a campaign. */
export class FuzzReport {
  pdus = 0;
  exchanges = 0;
  storeWrites = 0;
  /** Exchanges whose writes could not be followed, as a damaged stream held a command that writes otherwise. */
  unjudgedExchanges = 0;
  witnessCommands = 0;
  peakResidentBytes = 0;
  heapBytesFirst = 0;
  heapBytesLast = 0;
  readonly #tables: Record<string, Counts> = {
    "PDUs sent": new Map(),
    "PDUs received": new Map(),
    "Login statuses": new Map(),
    "Reject reasons": new Map(),
    "SCSI statuses": new Map(),
    "Task management responses": new Map(),
    "Logout responses": new Map(),
    "Ends of connections": new Map(),
    "Logins while others were at work": new Map(),
    "What the operator did": new Map(),
  };

  /** The target sees this PDU. */
  sent(header: Uint8Array): void {
    this.pdus++;
    const opcode = header[0]! & 0x3f;
    const isKnown = Object.values<number>(InitiatorOpcode).includes(opcode);
    count(this.#tables["PDUs sent"]!, isKnown ? initiatorOpcodeName(opcode) : "unknown opcodes");
  }

  /** The target has sent this PDU. */
  received(pdu: Pdu): void {
    count(this.#tables["PDUs received"]!, pdu.name);
    switch (pdu.opcode) {
      case Opcode.loginResponse:
        count(this.#tables["Login statuses"]!, nameIn(LoginStatus, pdu.statusClass << 8 | pdu.statusDetail));
        break;
      case Opcode.reject:
        count(this.#tables["Reject reasons"]!, nameIn(RejectReason, pdu.response));
        break;
      case Opcode.scsiResponse:
        count(this.#tables["SCSI statuses"]!, `${pdu.status.toString(16).padStart(2, "0")}h`);
        break;
      case Opcode.taskManagementResponse:
        count(this.#tables["Task management responses"]!, `${pdu.response}`);
        break;
      case Opcode.logoutResponse:
        count(this.#tables["Logout responses"]!, `${pdu.response}`);
        break;
    }
  }

  /** A connection is over. */
  ended(how: string): void {
    count(this.#tables["Ends of connections"]!, how);
  }

  /** Counts a login while others were at work. */
  loggedInAmong(how: string): void {
    count(this.#tables["Logins while others were at work"]!, how);
  }

  /** The operator has done something. */
  interfered(what: string): void {
    count(this.#tables["What the operator did"]!, what);
  }

  /** Looks at the memory of the process. */
  measure(): void {
    const { rss, heapUsed } = Deno.memoryUsage();
    this.peakResidentBytes = Math.max(this.peakResidentBytes, rss);
    if (this.heapBytesFirst === 0) this.heapBytesFirst = heapUsed;
    this.heapBytesLast = heapUsed;
  }

  /** Returns the count of an entry of a table. */
  counted(table: string, name: string): number {
    return this.#tables[table]?.get(name) ?? 0;
  }

  /** Returns the entries of a table that have a count. */
  names(table: string): readonly string[] {
    return [...this.#tables[table]?.keys() ?? []].toSorted();
  }

  /** The whole report as text. */
  toString(): string {
    const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
    const lines = [
      `${this.pdus} PDUs in ${this.exchanges} exchanges; a well-behaved session did ${this.witnessCommands} ` +
      "verified commands meanwhile",
      `${this.storeWrites} stretches of bytes reached a medium, each by a WRITE that was sent ` +
      `(${this.unjudgedExchanges} exchanges not judged)`,
      `memory: peak ${mebibytes(this.peakResidentBytes)} resident; heap ${
        mebibytes(this.heapBytesFirst)
      } at ` +
      `first, ${mebibytes(this.heapBytesLast)} at last`,
    ];
    for (const [title, counts] of Object.entries(this.#tables)) {
      const rows = [...counts].toSorted(([a], [b]) => a < b ? -1 : 1);
      lines.push("", title, ...rows.map(([name, times]) => `  ${String(times).padStart(9)}  ${name}`));
    }
    return lines.join("\n");
  }
}
