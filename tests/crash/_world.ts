/** Workloads, and the world that they run in. */
import type { Initiator } from "../support/initiator.ts";
import type { Note } from "./_notes.ts";

/** The product on a storage folder, in this process or as programs. All that it does to the folder is recorded. */
export interface World {
  readonly storage: string;
  /** Notes what is known from now on. */
  note(note: Note): void;
  /** Builds a conf's disks and notes that; a running server then serves the conf. */
  build(lines: readonly string[]): Promise<void>;
  /** Starts the server. It ends after the recording. */
  serve(lines: readonly string[]): Promise<void>;
  /** Logs in an initiator at the server and takes its first unit attentions. */
  connect(name: string, luns: readonly number[]): Promise<Initiator>;
}

/** LUNs of the target whose blocks are looked at, and those whose reservations are, which may keep readers out. */
export interface LunsToLookAt {
  readonly blocks: readonly number[];
  readonly reservations: readonly number[];
}

/** A workload: a piece of work that is recorded, and how the product is restarted after a crash. */
export interface Workload {
  readonly name: string;
  /** Its work, in a line. */
  readonly title: string;
  /** The command that is run after a crash: `build` and then the server, or the server alone. */
  readonly restart: "build" | "serve";
  /** The LUNs to examine after a restart. */
  readonly looksAt: LunsToLookAt;
  /** Makes what is there, and durable, when the recording begins. */
  prepare?(world: World): Promise<void>;
  run(world: World): Promise<void>;
  /** Does what an operator does between the crash and the restart, and makes it durable. Returns what is known then. */
  meddle?(storage: string): readonly Note[];
}

/** Numbers of requests, from 1. */
export class Counter {
  #last = 0;

  next(): number {
    return ++this.#last;
  }
}
