import { type RangeHold, RangeLocks } from "../../lib/scsi/medium/range_locks.ts";
import { Reservations } from "../../lib/scsi/reservations/reservations.ts";
import type { AttachedNexus } from "../../lib/scsi/attached_nexus.ts";
import { CommandKind } from "../../lib/scsi/counters/traffic.ts";
import { FINISHED_GOOD } from "../../lib/scsi/outcome/finished.ts";
import { NO_KEY } from "../../lib/scsi/reservations/reservation_key.ts";
import { nexusId } from "../../lib/scsi/reservations/nexus_identity.ts";
import type { Task } from "../../lib/scsi/task.ts";
import { TaskAttribute } from "../../lib/scsi/task_attribute.ts";
import { EnabledTasks, TaskSet } from "../../lib/scsi/task_set.ts";
import { FakeTask, makeTargetWithLuns, makeUnit, openReadyNexus } from "../scsi/fixture.ts";
import { type Operation, scattered, type Structure } from "./structure.ts";

const BLOCK_BYTES = 4096;

/** Returns locks with so many holds on blocks, each followed by a free one. */
async function locksWith(count: number, kind: "lock" | "share"): Promise<RangeLocks> {
  const locks = new RangeLocks();
  for (let index = 0; index < count; index++) {
    if (kind === "share") locks.share(2 * index * BLOCK_BYTES, BLOCK_BYTES);
    else await locks.lock(2 * index * BLOCK_BYTES, BLOCK_BYTES).hold;
  }
  return locks;
}

function task(attribute: TaskAttribute): Task {
  return { attribute, kind: CommandKind.other, isDormant: false, abort: () => undefined };
}

/** Returns reservations with so many registered nexuses. */
function reservationsWith(count: number): Reservations {
  const reservations = new Reservations(new Set<AttachedNexus>(), undefined);
  for (let index = 0; index < count; index++) register(reservations, index, KEY);
  return reservations;
}

const KEY = "0000000000000001";

function register(reservations: Reservations, index: number, newKey: string, persists = false): void {
  const request = { action: "registerAndIgnoreExistingKey", key: NO_KEY, newKey, persists } as const;
  reservations.perform(initiator(index), request, () => FINISHED_GOOD);
}

function initiator(index: number): { readonly initiatorPort: string; readonly targetPort: number } {
  return { initiatorPort: `iqn.2026-01.a:${index},i,0x800000000001`, targetPort: 1 };
}

/** Returns reservations whose registrations are being saved: so many requests wait. */
function savedReservationsWith(
  count: number,
): { readonly saved: Reservations; readonly endSaving: () => void } {
  let endSaving = (): void => {};
  const save = (): Promise<void> => new Promise((resolve) => endSaving = resolve);
  const saved = new Reservations(new Set<AttachedNexus>(), { saved: undefined, save });
  for (let index = 0; index <= count; index++) register(saved, index % 8, KEY, true);
  return { saved, endSaving: () => endSaving() };
}

/** The structures of `lib/scsi`. */
export const SCSI_STRUCTURES: readonly Structure[] = [
  {
    name: "range locks: a transfer beside n locks",
    counts: [10, 100, 1_000],
    async prepare(count): Promise<Operation> {
      const locks = await locksWith(count, "lock");
      const next = scattered(count);
      return (): void => {
        const offset = (2 * next() + 1) * BLOCK_BYTES;
        if (locks.isLocked(offset, BLOCK_BYTES)) throw new Error("The block is not locked");
        locks.release(locks.share(offset, BLOCK_BYTES));
      };
    },
  },
  {
    name: "range locks: lock a block beside n transfers",
    counts: [10, 100, 1_000],
    async prepare(count): Promise<Operation> {
      const locks = await locksWith(count, "share");
      const next = scattered(count);
      return async (): Promise<void> => {
        const hold = await locks.lock((2 * next() + 1) * BLOCK_BYTES, BLOCK_BYTES).hold;
        locks.release(hold!);
      };
    },
  },
  {
    name: "range locks: hand a block to the next of n",
    counts: [10, 100, 1_000],
    async prepare(count): Promise<Operation> {
      const locks = new RangeLocks();
      let held = await locks.lock(0, 512).hold;
      const waiting = Array.from(
        { length: count },
        (): Promise<RangeHold | undefined> => locks.lock(0, 512).hold,
      );
      let at = 0;
      return async (): Promise<void> => {
        waiting.push(locks.lock(0, 512).hold);
        locks.release(held!);
        held = await waiting[at++];
      };
    },
  },
  {
    name: "task set: hand the turn to the next of n ORDERED",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const set = new TaskSet({ isPerNexus: () => false, answersAtOnce: () => false });
      const nexus = new EnabledTasks();
      const running = task(TaskAttribute.ordered);
      set.enter(nexus, running);
      const queue = [running];
      const wait = (): void => {
        queue.push(task(TaskAttribute.ordered));
        set.wait(nexus, queue.at(-1)!);
      };
      for (let index = 0; index < count; index++) wait();
      let at = 0;
      return (): void => {
        set.leave(nexus, queue[at++]!);
        wait();
      };
    },
  },
  {
    name: "reservations: check a command, n registered",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const reservations = reservationsWith(count);
      const reserve = { action: "reserve", key: KEY, isUnitScope: true, type: "writeExclusive" } as const;
      reservations.perform(initiator(0), reserve, () => FINISHED_GOOD);
      const other = { id: nexusId(initiator(count)) } as AttachedNexus;
      return (): void => {
        if (!reservations.conflictsWith("writes", other)) throw new Error("A write conflicts");
      };
    },
  },
  {
    name: "reservations: register and unregister, n registered",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const reservations = reservationsWith(count);
      return (): void => {
        register(reservations, count, KEY);
        register(reservations, count, NO_KEY);
      };
    },
  },
  {
    name: "reservations: save one of n requests that wait",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const { saved, endSaving } = savedReservationsWith(count);
      return async (): Promise<void> => {
        endSaving();
        register(saved, 0, KEY, true);
        for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      };
    },
  },
  {
    name: "nexus: a command beside n removed LUNs that are busy",
    counts: [2, 20, 200],
    prepare(count): Operation {
      const units = Array.from({ length: count + 1 }, (_, lun) => [lun, makeUnit()] as const);
      const target = makeTargetWithLuns(new Map(units));
      const nexus = openReadyNexus(target);
      for (let lun = 1; lun <= count; lun++) nexus.enter(lun, new FakeTask());
      for (let lun = 1; lun <= count; lun++) target.remove(lun);
      const task = new FakeTask();
      return (): void => {
        nexus.enter(0, task);
        nexus.leave(0, task);
      };
    },
  },
];
