import type { BlockStore } from "./block_store.ts";
import type { ByteRange } from "./byte_range.ts";
import type { Extent } from "./space_map.ts";

/** A store on top of another, which it forwards everything to. A subclass overrides the operations that it changes. */
export abstract class StoreLayer implements BlockStore {
  protected readonly lower: BlockStore;

  constructor(lower: BlockStore) {
    this.lower = lower;
  }

  get sizeBytes(): number {
    return this.lower.sizeBytes;
  }

  get readOnly(): boolean {
    return this.lower.readOnly;
  }

  get canUnmap(): boolean {
    return this.lower.canUnmap;
  }

  get refusedHoles(): number | undefined {
    return this.lower.refusedHoles;
  }

  readNow(offset: number, into: Uint8Array): boolean {
    return this.lower.readNow(offset, into);
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.lower.read(offset, into);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    return this.lower.writeNow(offset, from);
  }

  write(offset: number, from: Uint8Array): Promise<void> {
    return this.lower.write(offset, from);
  }

  flush(): Promise<void> {
    return this.lower.flush();
  }

  unmap(ranges: readonly ByteRange[]): Promise<void> {
    return this.lower.unmap(ranges);
  }

  extentAt(offset: number): Extent {
    return this.lower.extentAt(offset);
  }

  close(): void {
    this.lower.close();
  }
}
