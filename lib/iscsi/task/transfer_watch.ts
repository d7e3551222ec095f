/**
 * Finds the commands of one connection that wait too long for the initiator: for data that it owes, or for it to read
 * theirs. Called once a second, so commands are not delayed.
 *
 * A command holds its place in the window, its memory and its blocks for a limited time only.
 */
import { Limits } from "../limits.ts";
import type { ScsiTask } from "./scsi_task.ts";

/** The seconds for which a command has waited for its initiator. */
interface Waited {
  /** The total for data. */
  dataOutSeconds: number;
  /** The seconds in a row in which another command waited for blocks that this one holds. */
  blockingSeconds: number;
}

/** The reason why a command fails. */
export type Overdue = "silence" | "slowness" | "blocking";

/** A connection's commands that wait for the initiator. */
export class TransferWatch {
  #waited = new Map<ScsiTask, Waited>();
  /** The seconds in a row without data for any command, although some was owed. */
  #silentSeconds = 0;
  #lastReceivedPdus = 0;

  /**
   * Counts a second in which the connection was received from. Returns the commands that are overdue.
   *
   * @param tasks the tasks of the connection
   * @param receivedPdus the number of Data-Out PDUs received so far
   */
  check(tasks: Iterable<ScsiTask>, receivedPdus: number): ReadonlyMap<ScsiTask, Overdue> {
    const waiting = [...tasks].filter((task) => owesData(task) || hasDataToRead(task));
    const isSilent = receivedPdus === this.#lastReceivedPdus && waiting.some(owesData);
    this.#silentSeconds = isSilent ? this.#silentSeconds + 1 : 0;
    this.#lastReceivedPdus = receivedPdus;
    const waited = new Map(waiting.map((task) => [task, this.#countSecond(task)] as const));
    this.#waited = waited;
    const overdue = new Map<ScsiTask, Overdue>();
    for (const [task, times] of waited) {
      const reason = this.#overdueReason(task, times);
      if (reason !== undefined) overdue.set(task, reason);
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

/** Returns true when the initiator owes data, and no medium delays it. */
function owesData({ dataOut }: ScsiTask): boolean {
  if (dataOut === undefined || dataOut.writesUnderWay > 0) return false;
  return dataOut.unsolicited || dataOut.readyToTransfers.length > 0;
}

/** Returns true when data waits for the initiator to read, and no medium delays it. */
function hasDataToRead({ dataIn }: ScsiTask): boolean {
  return dataIn !== undefined && !dataIn.isReading;
}
