import type { ByteRange } from "../store/byte_range.ts";
import type { HolePuncher, PunchResult } from "../store/hole_puncher.ts";

/** A request for holes, as it is posted to the supervisor. */
export interface PunchRequest {
  readonly kind: "punch";
  readonly id: number;
  /** The backing file, as in the conf. */
  readonly path: string;
  readonly ranges: readonly ByteRange[];
}

/** The worker's side of thin provisioning: has the supervisor make holes, by messages. */
export class RemotePunching {
  readonly #post: (request: PunchRequest) => void;
  readonly #waiting = new Map<number, (result: PunchResult) => void>();
  #lastId = 0;

  constructor(post: (request: PunchRequest) => void) {
    this.#post = post;
  }

  /** Makes holes in this backing file. */
  puncherOf(path: string): HolePuncher {
    return { punch: (ranges) => this.#punch(path, ranges) };
  }

  /** Takes the supervisor's answer to a request. */
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
