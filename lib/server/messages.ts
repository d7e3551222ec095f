/** What supervisor and target worker say to each other: plain data, posted as it is. */
import type { LogEvent } from "../iscsi/events/event_log.ts";
import type { SpaceFigures } from "../scsi/pages/provisioning.ts";
import type { PunchResult } from "../store/hole_puncher.ts";
import type { Answered, WorkerRequest } from "./worker_requests.ts";
import type { PunchRequest } from "./remote_puncher.ts";
import type { WorkerSettings } from "./worker_settings.ts";

/** What a worker is to do. */
export type ToWorker =
  | { readonly kind: "start"; readonly settings: WorkerSettings }
  /** How a request for holes ended. */
  | { readonly kind: "punched"; readonly id: number; readonly result: PunchResult }
  /** The space that backing files take, by their paths; told again and again. */
  | { readonly kind: "space"; readonly figures: ReadonlyMap<string, SpaceFigures> }
  /** To be answered, by the number. */
  | { readonly kind: "ask"; readonly id: number; readonly question: WorkerRequest }
  /** Serve the connections that a relay accepts: `link` is the other end of its link. */
  | { readonly kind: "relay"; readonly id: number; readonly link: MessagePort }
  /** That relay is no more, and so are its connections. */
  | { readonly kind: "relayEnded"; readonly id: number }
  /** End in order. */
  | { readonly kind: "stop" }
  /** End at once, for this reason: begin nothing, and say when nothing is under way. */
  | { readonly kind: "cut"; readonly message: string };

/** What a worker has done. */
export type FromWorker =
  | { readonly kind: "log"; readonly event: LogEvent }
  | { readonly kind: "listening"; readonly address: string; readonly port: number }
  /** It serves; `faults` are why it does not listen at some portals. */
  | { readonly kind: "ready"; readonly faults: readonly string[] }
  | PunchRequest
  /** A backing file or device that was taken out of the conf has been closed, or closed and opened again. */
  | { readonly kind: "closed"; readonly path: string }
  | Answered
  /** It has begun to end, and still changes these files. */
  | { readonly kind: "ending"; readonly files: readonly string[] }
  | WorkerEnd;

/** The last message of a worker: no file operation of it is under way, and none begins. */
export type WorkerEnd =
  /** Everything that was written is on stable storage, and every connection is closed. */
  | { readonly kind: "stopped" }
  /** It could not do what it was told to; the reason is for the user. */
  | { readonly kind: "failed"; readonly message: string }
  /** A fault of ours ended it. */
  | { readonly kind: "crashed"; readonly message: string };
