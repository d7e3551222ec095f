/**
 * The target worker with a disk that hangs, as long as there is a file `gate` among its journals. The write that hangs
 * makes a file `gate.reached`. By default it is one off the event loop, the third, which for an atomic write is the one
 * to the backing file: the first two are its journal's. With `?at=once` it is one that the event loop does itself.
 */
import "../../../lib/server/worker/target_worker.ts";
import { journalsFolderOf } from "../../../lib/provision/state_folder.ts";
import type { ToWorker } from "../../../lib/server/worker/messages.ts";

const FREE_WRITES = 2;

/** Memory to sleep on without an event loop: a worker that hangs must not take a processor from the others. */
const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** A gate that holds writes up. */
class Gate {
  #path = "";
  #writes = 0;

  constructor() {
    addEventListener("message", (event) => {
      const { data } = event as MessageEvent<ToWorker>;
      if (data.kind === "start") this.#path = `${journalsFolderOf(data.settings.place)}/gate`;
    });
  }

  holdUpNow(): void {
    if (this.#isClosed()) this.#reach();
    while (this.#isClosed()) Atomics.wait(NEVER_WOKEN, 0, 0, 1);
  }

  async holdUp(): Promise<void> {
    if (++this.#writes <= FREE_WRITES) return;
    if (this.#isClosed()) this.#reach();
    while (this.#isClosed()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  #isClosed(): boolean {
    try {
      return Deno.statSync(this.#path).isFile;
    } catch {
      return false;
    }
  }

  #reach(): void {
    Deno.writeTextFileSync(`${this.#path}.reached`, "");
  }
}

const gate = new Gate();
const { write, writeSync } = Deno.FsFile.prototype;

if (new URL(import.meta.url).search === "?at=once") {
  Deno.FsFile.prototype.writeSync = function (bytes: Uint8Array): number {
    gate.holdUpNow();
    return writeSync.call(this, bytes);
  };
} else {
  Deno.FsFile.prototype.write = async function (bytes: Uint8Array): Promise<number> {
    await gate.holdUp();
    return await write.call(this, bytes);
  };
}
