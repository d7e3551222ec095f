/** Operations of SCSI commands, where the data that the initiator sends is not the data that the command takes. */
import { refused } from "../../scsi/outcome/finished.ts";
import type { DataOut, Finished, Operation } from "../../scsi/outcome/operation.ts";
import { GOOD } from "../../scsi/outcome/outcome.ts";
import { Sense } from "../../scsi/outcome/sense.ts";
import type { ScsiCommand } from "../pdu/initiator_pdus.ts";

/** The data lengths of a command's PDU. */
type Expected = Pick<ScsiCommand, "expectedDataIn" | "expectedDataOut">;

/**
 * Returns the operation, or a refusal when its direction contradicts the PDU.
 *
 * A command that takes data is refused when its PDU expects only to receive: GOOD would claim that the data was taken.
 * So is one whose data has another meaning in another length. A command that sends data to a PDU that expects none
 * still reads its data, and reports the overflow.
 */
export function checkDirection(expected: Expected, operation: Operation): Operation {
  if (operation.kind !== "dataOut") return operation;
  const refusal = refuseDirection(expected, operation);
  if (refusal === undefined) return operation;
  operation.end?.();
  return refusal;
}

function refuseDirection(
  { expectedDataIn, expectedDataOut }: Expected,
  operation: DataOut,
): Finished | undefined {
  const isBackwards = expectedDataOut === 0 && expectedDataIn > 0;
  if (isBackwards) return refused(Sense.invalidFieldInCommandInformationUnit);
  if (expectedDataOut === operation.lengthBytes) return undefined;
  operation.adaptTo?.(expectedDataOut);
  return operation.refusalOfOtherLength;
}

/**
 * Returns an operation that discards the unsolicited data of a command, then continues with the command.
 *
 * @param giveUp called when the data does not arrive
 */
export function discardDataThen(operation: Operation, giveUp: () => void): DataOut {
  let next = operation;
  if (operation.kind === "later") operation.operation.then((resolved) => next = resolved);
  return {
    kind: "dataOut",
    lengthBytes: 0,
    writeNow: () => GOOD,
    write: () => Promise.resolve(GOOD),
    finish: () => operation,
    end: giveUp,
    blocksOthers: () => next.kind === "dataIn" && next.blocksOthers?.() === true,
  };
}

/** Ends an operation whose command is over, and releases the blocks that it holds. */
export function abandon(operation: Operation): void {
  if (operation.kind === "dataIn" || operation.kind === "dataOut") operation.end?.();
  if (operation.kind !== "later") return;
  operation.cancel?.();
  operation.operation.then(abandon);
}
