/** Commands whose R and W bits or expected length do not fit (RFC 7143, 11.3.1 and 11.4.5), through the whole node. */
import { assertEquals } from "@std/assert";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { withHarness } from "../../support/harness.ts";
import { contentOf, pattern } from "../../support/content.ts";
import { drain, numbered } from "../../support/exchanges.ts";

const { good, checkCondition } = ScsiStatus;

/** A command, what its PDU claims, and its end. All data is immediate. */
interface Row {
  readonly cdb: Uint8Array;
  readonly reads?: boolean;
  readonly writes?: boolean;
  readonly expected: number;
  readonly sent?: number;
  readonly status: number;
  /** Positive for an overflow, negative for an underflow. */
  readonly residual: number;
  readonly written?: number;
}

const ROWS: Readonly<Record<string, Row>> = {
  "READ(10) with neither": { cdb: read10(0, 1), expected: 0, status: good, residual: 512 },
  "READ(10) that expects nothing": {
    cdb: read10(0, 1),
    reads: true,
    expected: 0,
    status: good,
    residual: 512,
  },
  "READ(10) with W": {
    cdb: read10(0, 1),
    writes: true,
    expected: 512,
    sent: 512,
    status: good,
    residual: 512,
  },
  "WRITE(10) with neither": { cdb: write10(0, 1), expected: 0, status: good, residual: 512 },
  "WRITE(10) that expects nothing": {
    cdb: write10(0, 1),
    writes: true,
    expected: 0,
    status: good,
    residual: 512,
  },
  "WRITE(10) with R": {
    cdb: write10(0, 1),
    reads: true,
    expected: 512,
    status: checkCondition,
    residual: -512,
  },
  "WRITE(10) with both, but no length to read": {
    cdb: write10(0, 1),
    reads: true,
    writes: true,
    expected: 512,
    sent: 512,
    status: good,
    residual: 0,
    written: 512,
  },
  "TEST UNIT READY with both": {
    cdb: testUnitReady(),
    reads: true,
    writes: true,
    expected: 4,
    sent: 4,
    status: good,
    residual: -4,
  },
};

/** Returns the residual count of a response, with its sign. */
function residualOf({ hasOverflow, hasUnderflow, residualCount }: Pdu): number {
  return hasOverflow ? residualCount : hasUnderflow ? -residualCount : 0;
}

for (const [what, row] of Object.entries(ROWS)) {
  Deno.test(`${what} ends with one status and an exact residual, and nothing else`, async () => {
    const store = new MemoryStore({ sizeBytes: 1024 * 1024 });
    await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
      const initiator = await harness.logIn();
      const { cdb, reads = false, writes = false, expected, sent = 0, written = 0 } = row;
      const data = pattern(sent);
      await initiator.send(scsiCommand({
        ...numbered(initiator),
        isFinal: true,
        reads,
        writes,
        lun: 0,
        expectedLength: expected,
        cdb,
        data,
      }));
      const pdu = await initiator.receive();
      assertEquals([pdu.opcode, pdu.status, residualOf(pdu)], [
        Opcode.scsiResponse,
        row.status,
        row.residual,
      ]);
      assertEquals(await drain(initiator), []);
      const content = new Uint8Array(512);
      content.set(pattern(written));
      assertEquals(contentOf(store, 0, 512), content);
    });
  });
}
