/** The command window of a session whose tasks end without a PDU of their own (RFC 7143, 4.2.2.1 and 11.4.11). */
import { assertEquals } from "@std/assert";
import { serialAdd } from "../../../lib/bytes/serial_number.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { Initiator } from "../../support/initiator.ts";
import { testUnitReady, verify10, write10 } from "../../support/initiator_cdb.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { LogoutReason, TaskManagement } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, withHarness } from "../../support/harness.ts";
import { settle } from "../../support/until.ts";
import { pattern } from "../../support/content.ts";
import { drain, reserveOut } from "../../support/exchanges.ts";

const SIZE = 4 * 1024 * 1024;
const OTHER_ISID = Uint8Array.of(0x80, 0, 0, 0, 0, 2);
const WAITING_COUNT = 20;

/** Runs a test with a target whose only LUN is slow. */
async function withSlowUnit(test: (harness: Harness, store: SlowStore) => Promise<void>): Promise<void> {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    await test(harness, store);
    store.releaseAll();
  });
}

function assertWindowPdu(pdu: Pdu): void {
  assertEquals([pdu.opcode, pdu.initiatorTaskTag, pdu.targetTransferTag], [Opcode.nopIn, NO_TAG, NO_TAG]);
}

/** Ends the tasks of one session by another. The answer may have to wait for the medium. */
const ENDINGS: Readonly<Record<string, (other: Initiator) => Promise<number>>> = {
  "CLEAR TASK SET": (other) => other.taskManagement(TaskManagement.clearTaskSet),
  "LOGICAL UNIT RESET": (other) => other.taskManagement(TaskManagement.logicalUnitReset),
  "TARGET WARM RESET": (other) => other.taskManagement(TaskManagement.targetWarmReset),
  "PREEMPT AND ABORT": (other) => reserveOut(other, 5, { key: 2, newKey: 1, type: 5 }),
};

for (const [name, end] of Object.entries(ENDINGS)) {
  Deno.test(`${name} by another session opens the window of this one, and a NOP-In announces it at once`, () =>
    withSlowUnit(async (harness, store) => {
      const initiator = await harness.logIn();
      const other = await harness.logIn({ isid: OTHER_ISID });
      const prepared = [
        await reserveOut(initiator, 0, { newKey: 1 }),
        await reserveOut(other, 0, { newKey: 2 }),
        await reserveOut(initiator, 1, { key: 1, type: 5 }),
      ];
      assertEquals(prepared, Array(3).fill(ScsiStatus.good));
      for (let block = 0; block < WAITING_COUNT; block++) {
        (await initiator.begin({ cdb: write10(block, 1), write: pattern(512) })).forget();
      }
      await initiator.nop();
      const before = initiator.maxCmdSn!;
      const ended = end(other);
      assertWindowPdu(await initiator.receive());
      assertEquals(initiator.maxCmdSn, serialAdd(before, WAITING_COUNT));
      store.releaseAll();
      assertEquals(await ended, 0, "GOOD, or function complete");
      assertEquals(await drain(initiator), [], "it is announced once");
    }));
}

/** Ends a connection of a session that has another one. */
const DEPARTURES: Readonly<Record<string, (leaving: Initiator, staying: Initiator) => Promise<unknown>>> = {
  "is lost": (leaving) => leaving.close(),
  "logs out": (leaving) => leaving.logout(LogoutReason.closeConnection, 1),
  "is logged out over another": (_, staying) => staying.logout(LogoutReason.closeConnection, 1),
};

for (const [how, depart] of Object.entries(DEPARTURES)) {
  Deno.test(`places that tasks of a connection keep which ${how} are announced over another when they are free`, () =>
    withSlowUnit(async (harness, store) => {
      const { initiators } = await harness.logInSession(2);
      const [staying, leaving] = initiators as [Initiator, Initiator];
      for (let begun = 0; begun < Limits.lingeringTasks; begun += Limits.commandWindow) {
        await beginAll(leaving);
        assertEquals(await passTaskSetAbort(harness, leaving), 0);
      }
      await beginAll(leaving);
      const departed = depart(leaving, staying);
      await settle();
      const [session] = [...harness.node.sessions()];
      assertEquals(session!.window.isClosed, true, "work that has no task occupies memory");
      for (let round = 0; round < 200 && store.pending.length > 0; round++) {
        store.releaseAll();
        await settle();
      }
      await departed;
      await settle();
      assertEquals([session!.window.isClosed, session!.isWindowAnnounced], [false, true]);
      // The initiator can send again, without any PDU that it has to ask for.
      while (staying.maxCmdSn !== session!.window.maxCmdSN) await staying.receive();
      assertEquals((await staying.command({ cdb: testUnitReady() })).status, ScsiStatus.checkCondition);
    }));
}

/** Fills the window with verifications that the medium does not finish. */
async function beginAll(initiator: Initiator): Promise<void> {
  for (let count = 0; count < Limits.commandWindow; count++) {
    (await initiator.begin({ cdb: verify10(0, 8) })).forget();
  }
  await drain(initiator);
}

/** Ends them. The other connection acknowledges nothing, so time passes until the response. */
function passTaskSetAbort(harness: Harness, initiator: Initiator): Promise<number> {
  return harness.passTimeUntil(initiator.taskManagement(TaskManagement.abortTaskSet));
}
