/** The product in this process, recorded by standing in for Deno's functions. */
import type { Initiator } from "../support/initiator.ts";
import type { DenoRecorder } from "./_deno_recorder.ts";
import type { Note } from "./_notes.ts";
import { build, findDisks, Product } from "./_product.ts";
import type { World } from "./_world.ts";

/** The product in this process. Only one of its servers runs at a time. */
export class ProcessWorld implements World {
  readonly storage: string;
  readonly #recorder: DenoRecorder<Note> | undefined;
  #product: Product | undefined;

  /** @param recorder undefined where nothing is recorded */
  constructor(storage: string, recorder?: DenoRecorder<Note>) {
    this.storage = storage;
    this.#recorder = recorder;
  }

  note(note: Note): void {
    this.#recorder?.note(note);
  }

  async build(lines: readonly string[]): Promise<void> {
    this.note({ kind: "conf", lines });
    const errors = await build(this.storage, lines);
    if (errors.length > 0) throw new Error(`iscsi build: ${errors.join("; ")}`);
    this.note({ kind: "built", disks: findDisks(this.storage, lines) });
    this.#product?.reconfigure(lines);
  }

  async serve(lines: readonly string[]): Promise<void> {
    const recorder = this.#recorder;
    this.#product = await Product.start(this.storage, lines, recorder?.punch.bind(recorder));
  }

  connect(name: string, luns: readonly number[]): Promise<Initiator> {
    return this.#product!.connect(name, luns);
  }

  /** Ends the server. What it does for that belongs to no recording. */
  async end(): Promise<void> {
    await this.#product?.end();
    this.#product = undefined;
  }
}
