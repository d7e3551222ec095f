/** The messages between supervisor and target worker, as plain data. */
import type { LogEvent } from "../../iscsi/events/event_log.ts";
import type { SpaceFigures } from "../../scsi/pages/provisioning.ts";
import type { PunchResult } from "../../store/hole_puncher.ts";
import type { Answered, WorkerRequest } from "./worker_requests.ts";
import type { PunchRequest } from "./remote_puncher.ts";
import type { WorkerSettings } from "./worker_settings.ts";

/** A message to the target worker. */
export type ToWorker =
  | { readonly kind: "start"; readonly settings: WorkerSettings }
  /** The result of a request to punch holes. */
  | { readonly kind: "punched"; readonly id: number; readonly result: PunchResult }
  /** The space that backing files take, by path; sent periodically. */
  | { readonly kind: "space"; readonly figures: ReadonlyMap<string, SpaceFigures> }
  /** A login from this address has failed at another worker. */
  | { readonly kind: "failedLogin"; readonly peerAddress: string }
  /** A request, to be answered with its number. */
  | { readonly kind: "ask"; readonly id: number; readonly question: WorkerRequest }
  /** Serve the connections that a relay accepts; `link` is the other end of its link. */
  | { readonly kind: "relay"; readonly id: number; readonly link: MessagePort }
  /** The relay has ended with its connections. */
  | { readonly kind: "relayEnded"; readonly id: number }
  /** Stop in order. */
  | { readonly kind: "stop" }
  /** End at once for this reason: start nothing, and report when no operation is under way. */
  | { readonly kind: "cut"; readonly message: string };

/** A message of the target worker. */
export type FromWorker =
  | { readonly kind: "log"; readonly event: LogEvent }
  | { readonly kind: "listening"; readonly address: string; readonly port: number }
  /** The worker serves; `faults` are the reasons for which it does not listen at some portals. */
  | { readonly kind: "ready"; readonly faults: readonly string[] }
  | PunchRequest
  /** A backing that was removed from the conf has been closed, or closed and opened again. */
  | { readonly kind: "closed"; readonly path: string }
  /** A backing fails, or its device may be gone. */
  | { readonly kind: "faulty"; readonly path: string }
  /** A login from this address has failed. */
  | { readonly kind: "failedLogin"; readonly peerAddress: string }
  /** The number of a backing, for the mark. */
  | { readonly kind: "numbered"; readonly number: number; readonly path: string }
  | Answered
  /** The worker is ending and still changes these files. */
  | { readonly kind: "ending"; readonly files: readonly string[] }
  | WorkerEnd;

/** The last message of a worker: none of its file operations is under way, and none starts. */
export type WorkerEnd =
  /** All written data is on stable storage, and every connection is closed. */
  | { readonly kind: "stopped" }
  /** The worker could not carry out a message; the text is for the user. */
  | { readonly kind: "failed"; readonly message: string }
  /** A defect of this program ended it. */
  | { readonly kind: "crashed"; readonly message: string };
