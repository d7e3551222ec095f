import type { ByteRange } from "../../store/byte_range.ts";
import type { HolePuncher, PunchResult } from "../../store/hole_puncher.ts";

/** A request to the supervisor to punch holes. */
export interface PunchRequest {
  readonly kind: "punch";
  readonly id: number;
  /** The path of the backing file in the conf. */
  readonly path: string;
  readonly ranges: readonly ByteRange[];
}

/** The worker's side of thin provisioning, which requests holes from the supervisor. */
export class RemotePunching {
  readonly #post: (request: PunchRequest) => void;
  readonly #waiting = new Map<number, (result: PunchResult) => void>();
  #lastId = 0;

  constructor(post: (request: PunchRequest) => void) {
    this.#post = post;
  }

  /** Returns the hole puncher of a backing file. */
  puncherOf(path: string): HolePuncher {
    return { punch: (ranges) => this.#punch(path, ranges) };
  }

  /** Handles the supervisor's answer to a request. */
  answer(id: number, result: PunchResult): void {
    this.#waiting.get(id)?.(result);
    this.#waiting.delete(id);
  }

  #punch(path: string, ranges: readonly ByteRange[]): Promise<PunchResult> {
    const id = ++this.#lastId;
    this.#post({ kind: "punch", id, path, ranges });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}
