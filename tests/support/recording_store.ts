import type { ByteRange } from "../../lib/store/byte_range.ts";
import { StoreLayer } from "../../lib/store/store_layer.ts";

/** A store layer that records its operations. */
export class RecordingStore extends StoreLayer {
  /** The operations as `OPERATION OFFSET+LENGTH`, with the first byte of a write, the oldest first. */
  readonly diary: string[] = [];

  override readNow(offset: number, into: Uint8Array): boolean {
    return this.#note("read", offset, into.length, this.lower.readNow(offset, into));
  }

  override read(offset: number, into: Uint8Array): Promise<void> {
    return this.#note("read", offset, into.length, this.lower.read(offset, into));
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    return this.#note(`write of ${from[0]}`, offset, from.length, this.lower.writeNow(offset, from));
  }

  override write(offset: number, from: Uint8Array): Promise<void> {
    return this.#note(`write of ${from[0]}`, offset, from.length, this.lower.write(offset, from));
  }

  override flush(): Promise<void> {
    return this.#note("flush", 0, 0, this.lower.flush());
  }

  override unmap(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset, lengthBytes } of ranges) this.#note("unmap", offset, lengthBytes, undefined);
    return this.lower.unmap(ranges);
  }

  #note<T>(operation: string, offset: number, lengthBytes: number, result: T): T {
    this.diary.push(`${operation} ${offset}+${lengthBytes}`);
    return result;
  }
}
