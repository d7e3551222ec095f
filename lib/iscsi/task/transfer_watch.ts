/**
 * Finds the commands of one connection that wait for their initiator for too long: for data that it owes, or for it to
 * take theirs. It is told when a second has gone by, so that it costs a command nothing.
 *
 * Nothing that a command holds is held without an end: neither its place, nor its memory, nor the blocks that others
 * wait for.
 */
import { Limits } from "../limits.ts";
import type { ScsiTask } from "./scsi_task.ts";

/** For how many seconds a command has waited for its initiator. */
interface Waited {
  /** For data, in all. */
  dataOutSeconds: number;
  /** In a row, while another command waited for blocks that this one holds. */
  blockingSeconds: number;
}

/** Why a command is given up. */
export type Overdue = "silence" | "slowness" | "blocking";

/** A connection's commands that wait for the initiator. */
export class TransferWatch {
  #waited = new Map<ScsiTask, Waited>();
  /** For so long no data has come for any command, though some was owed. */
  #silentSeconds = 0;
  #lastReceivedPdus = 0;

  /**
   * Takes note that a second has gone by in which the connection was listened to.
   *
   * @param tasks those of the connection
   * @param receivedPdus how many Data-Out PDUs have come so far
   * @returns the commands to give up
   */
  look(tasks: Iterable<ScsiTask>, receivedPdus: number): ReadonlyMap<ScsiTask, Overdue> {
    const waiting = [...tasks].filter((task) => owesData(task) || isToTakeData(task));
    const isSilent = receivedPdus === this.#lastReceivedPdus && waiting.some(owesData);
    this.#silentSeconds = isSilent ? this.#silentSeconds + 1 : 0;
    this.#lastReceivedPdus = receivedPdus;
    const waited = new Map(waiting.map((task) => [task, this.#countSecond(task)] as const));
    this.#waited = waited;
    const overdue = new Map<ScsiTask, Overdue>();
    for (const [task, how] of waited) {
      const why = this.#overdueReason(task, how);
      if (why !== undefined) overdue.set(task, why);
    }
    return overdue;
  }

  #countSecond(task: ScsiTask): Waited {
    const waited = this.#waited.get(task) ?? { dataOutSeconds: 0, blockingSeconds: 0 };
    if (owesData(task)) waited.dataOutSeconds++;
    const isBlocking = (task.dataOut ?? task.dataIn)!.operation.blocksOthers?.() === true;
    waited.blockingSeconds = isBlocking ? waited.blockingSeconds + 1 : 0;
    return waited;
  }

  #overdueReason(task: ScsiTask, { dataOutSeconds, blockingSeconds }: Waited): Overdue | undefined {
    if (blockingSeconds >= Limits.blockingSeconds) return "blocking";
    if (!owesData(task)) return undefined;
    if (this.#silentSeconds >= Limits.dataOutSilenceSeconds) return "silence";
    const { receivedBytes } = task.dataOut!;
    const allowedSeconds = Limits.dataOutSeconds + receivedBytes / Limits.dataOutBytesPerSecond;
    return dataOutSeconds > allowedSeconds ? "slowness" : undefined;
  }
}

/** Data is to come, and no medium is waited for. */
function owesData({ dataOut }: ScsiTask): boolean {
  if (dataOut === undefined || dataOut.writesUnderWay > 0) return false;
  return dataOut.unsolicited || dataOut.readyToTransfers.length > 0;
}

/** Data waits for room on its way to the initiator, and no medium is waited for. */
function isToTakeData({ dataIn }: ScsiTask): boolean {
  return dataIn !== undefined && !dataIn.isReading;
}
