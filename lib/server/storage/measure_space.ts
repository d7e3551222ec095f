import { statfsSync } from "node:fs";
import type { Clock } from "../../iscsi/clock.ts";
import type { SpaceFigures } from "../../scsi/pages/provisioning.ts";
import { untilSettled } from "../until_settled.ts";

/** Bytes in a block of `Deno.FileInfo.blocks`, which is independent of the file system's block size. */
export const STAT_BLOCK_BYTES = 512;

/** Milliseconds that a file system may take to answer before its paths are left out. */
const PATIENCE_MS = 500;

/** The space that a path takes, and the file system on which it is. */
export interface PlaceFigures extends SpaceFigures {
  /** False for a folder and a block device, which take no space of a file system. */
  readonly isFile: boolean;
  /** The number of the file system. */
  readonly device: number;
  readonly totalBytes: number;
}

/**
 * Measures paths. A system call on a file system that hangs would stop the whole supervisor, so each file system is
 * probed off the event loop first. One that does not answer takes a thread of Deno's until it does, and no more.
 */
export class SpaceGauge {
  readonly #clock: Clock;
  readonly #probe: (path: string) => Promise<unknown>;
  /** The numbers of the file systems on which paths were last. */
  readonly #devices = new Map<string, number>();
  /** Probes without an answer, by file system; for a path that is new, by path. */
  readonly #probes = new Map<number | string, Promise<unknown>>();

  /** @param probe reaches the file system of a path */
  constructor(clock: Clock, probe: (path: string) => Promise<unknown> = (path) => Deno.stat(path)) {
    this.#clock = clock;
    this.#probe = probe;
  }

  /**
   * Returns the figures of paths. A path that cannot be accessed, or whose file system does not answer in time, is left
   * out: reads and writes report its fault.
   */
  async measure(paths: Iterable<string>): Promise<Map<string, PlaceFigures>> {
    const groups = Map.groupBy(new Set(paths), (path) => this.#devices.get(path) ?? path);
    const answered = new Set<number | string>();
    const probes = [...groups].map(async ([key, [first]]) => {
      await this.#reach(key, first!);
      answered.add(key);
    });
    await untilSettled(Promise.all(probes), PATIENCE_MS, this.#clock);
    const alive = [...groups].filter(([key]) => answered.has(key)).flatMap(([, group]) => group);
    return new Map(alive.flatMap((path) => {
      const figures = measurePath(path);
      if (figures !== undefined) this.#devices.set(path, figures.device);
      return figures === undefined ? [] : [[path, figures] as const];
    }));
  }

  async #reach(key: number | string, path: string): Promise<void> {
    const probe = this.#probes.get(key) ?? this.#probe(path).catch(() => {});
    this.#probes.set(key, probe);
    await probe;
    this.#probes.delete(key);
  }
}

function measurePath(path: string): PlaceFigures | undefined {
  try {
    const { isFile, blocks, dev } = Deno.statSync(path);
    const { bavail, blocks: totalBlocks, bsize } = statfsSync(path);
    return {
      isFile,
      device: dev,
      usedBytes: (blocks ?? 0) * STAT_BLOCK_BYTES,
      availableBytes: bavail * bsize,
      totalBytes: totalBlocks * bsize,
    };
  } catch {
    return undefined;
  }
}

/** Returns the space of the backing files among measured paths. */
export function spaceOfFiles(measured: ReadonlyMap<string, PlaceFigures>): Map<string, SpaceFigures> {
  return new Map(
    [...measured].flatMap(([path, { isFile, usedBytes, availableBytes }]) =>
      isFile ? [[path, { usedBytes, availableBytes }]] : []
    ),
  );
}
