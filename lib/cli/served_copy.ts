import type { ControlClient } from "../control/control_client.ts";
import type { CopyRequest, UnitAddress } from "../control/control_requests.ts";
import { type CopyStart, decodeCopyStart } from "../control/copy_start.ts";
import { duringRequest, type OpenRequest } from "./during_request.ts";

/** Milliseconds between two reports of the progress to the server. */
const REPORT_MS = 1000;

/** A LUN that a server serves, and the file that becomes its copy. */
export interface ServedCopyOptions {
  readonly client: ControlClient;
  readonly unit: UnitAddress;
  readonly request: Omit<CopyRequest, "target" | "lun">;
  /** Aborted to end the copy. */
  readonly signal: AbortSignal;
}

/** The copy of a LUN, of which the server preserves the content. */
export interface ServedCopy<Start extends CopyStart> {
  readonly start: Start;
  /** Aborted with the reason when the server ends the copy, or this command does. */
  readonly signal: AbortSignal;
  /** Reports the progress to the server, now and then. */
  readonly report: (copiedBytes: number) => void;
}

/**
 * Has the server preserve or hold a LUN while `work` copies it, and report whether it did so until the end.
 *
 * @throws {Error} (rejects) with the reason of the server, of `work` or of the signal
 */
export async function duringServedCopy<Kind extends CopyStart["kind"]>(
  { client, unit, request, signal: interrupted }: ServedCopyOptions,
  kind: Kind,
  work: (copy: ServedCopy<CopyStart & { readonly kind: Kind }>) => Promise<number>,
): Promise<void> {
  const send: OpenRequest<null>["send"] = (onMessage, signal) =>
    client.request("copy", { ...unit, ...request }, onMessage, signal);
  await duringRequest({ send, interrupted }, async (message, signal) => {
    const start = decodeCopyStart(message) as CopyStart & { readonly kind: Kind };
    if (start.kind !== kind) throw new Error("the server has begun another kind of copy");
    const follow = (copiedBytes: number, isComplete: boolean): Promise<null> =>
      client.request("followCopy", { copy: start.copy, copiedBytes, isComplete });
    const report = everySecond((copiedBytes) => void follow(copiedBytes, false).catch(() => {}));
    await follow(await work({ start, signal, report }), true);
  });
}

function everySecond(report: (copiedBytes: number) => void): (copiedBytes: number) => void {
  let reportedMs = performance.now();
  return (copiedBytes) => {
    if (performance.now() - reportedMs < REPORT_MS) return;
    reportedMs = performance.now();
    report(copiedBytes);
  };
}
