import type { BlockStore } from "../../lib/store/block_store.ts";

/** Returns a store of any size that keeps nothing, and whose operations are done before they begin. */
export function emptyStore(sizeBytes: number): BlockStore {
  return {
    sizeBytes,
    readOnly: false,
    canUnmap: false,
    readNow: () => true,
    read: () => Promise.resolve(),
    writeNow: () => true,
    write: () => Promise.resolve(),
    flush: () => Promise.resolve(),
    unmap: () => Promise.resolve(),
    extentAt: () => ({ isMapped: true, endBytes: sizeBytes }),
    close: () => {},
  };
}
